"""What a process's surroundings are read from."""

from __future__ import annotations

import sys

import pytest
from platformdirs import user_config_path, user_state_path

from dbtool.process import process_environment


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs itself is asked")
@pytest.mark.parametrize("named", [None, "", "/srv/elsewhere", "relative/place", "~/tilde"])
def test_directories_are_those_that_platformdirs_would_name(named: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        if named is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, named)
    environment = process_environment()
    assert environment.config_directory == user_config_path("dbtool", appauthor=False)
    assert environment.state_directory == user_state_path("dbtool", appauthor=False)
