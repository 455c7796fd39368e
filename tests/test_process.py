"""What a process's surroundings are read from."""

from __future__ import annotations

import subprocess
import sys

import pytest
from platformdirs import user_config_path, user_state_path

from dbtool.cli.app import run
from dbtool.errors import UsageError
from dbtool.process import process_environment
from tests.cli.running import CHECKOUT


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


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("how", ["by its host", "under its host"])
def test_a_stream_that_was_closed_is_none(stream: str, how: str) -> None:
    """A library has to do without the streams that its process has closed."""
    code = {
        "by its host": f"sys.{stream}.close()",
        "under its host": f"os.close({('stdin', 'stdout', 'stderr').index(stream)})",
    }[how]
    program = (
        f"import os, sys; {code}\n"
        "from dbtool.process import process_environment\n"
        "environment = process_environment()\n"
        f"os._exit(7 if environment.{stream}_is_terminal else 5)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 5, done.stderr


def test_nothing_is_read_from_a_stream_that_its_host_has_closed() -> None:
    """Python leaves the descriptor open: what arrives there is for somebody else."""
    program = (
        "import os, sys; sys.stdin.close()\n"
        "from dbtool.process import process_environment\n"
        "os._exit(7 if process_environment().stdin.read(1) else 5)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"x", capture_output=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 5, done.stderr


@pytest.fixture
def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user of whom the system knows nothing, as in a container that runs under any number."""

    def know_nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", know_nobody)


@pytest.mark.usefixtures("without_home")
def test_a_home_that_cannot_be_found_is_an_error_with_its_cure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="set HOME"):
        process_environment()
    assert run(["profile", "list"]) == 2
    assert capsys.readouterr().err == "dbtool: error: this user has no home directory that could be found: set HOME\n"
