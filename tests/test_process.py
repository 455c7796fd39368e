"""What a process's surroundings are read from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from platformdirs import user_config_path, user_state_path

from dbtool.cli.fast_path import run
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
@pytest.mark.parametrize(
    ("line", "status", "out", "err"),
    [
        ("query -p :memory: -F csv", 0, "a\n1\n", ""),
        ("query -p {directory}/made.db -F csv", 2, "", "?create=true would make it"),
        ("query -p sqlite:///{directory}/made.db?create=true -F csv", 0, "a\n1\n", ""),
        ("query -p ~/made.db", 2, "", "no home directory: set HOME"),
        ("tables -p :memory: -F csv", 0, "schema,name,kind,rows,size,comment\n", ""),
        ("profile list -F csv", 0, "active,name,engine", ""),
        ("profile path -F csv", 0, "file,scope", "no home directory: set HOME"),
        ("profile add x --url sqlite:///x.db", 2, "", "no home directory: set HOME"),
        ("profile import pgpass", 2, "", "no home directory: set HOME"),
        ("switch --unset", 2, "", "no home directory: set HOME"),
        ("current", 2, "", "no profile yet"),
        ("completions bash", 0, "# bash completion", ""),
    ],
)
def test_without_a_home_all_runs_that_needs_no_file(  # noqa: PLR0917 - a row of the table, and the fixtures
    line: str, status: int, out: str, err: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word.format(directory=tmp_path) for word in line.split()]
    words += ["select 1 as a"] if words[0] == "query" else []
    with (tmp_path / "out").open("wb+", buffering=0) as stdout, (tmp_path / "err").open("w+") as stderr:
        own = process_environment().replaced(stdout=stdout, stderr=stderr)
        assert run(words, own) == status
    assert (tmp_path / "out").read_text().startswith(out)
    said = (tmp_path / "err").read_text()
    assert err in said
    if words[:2] != ["profile", "list"]:
        assert said.count("\n") == bool(err)
