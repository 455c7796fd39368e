"""What lies in the working directory is data: no module, and no library of that name, is ever run from it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.cli.running import CHECKOUT, COMMAND, surroundings

_SCRIPT = (str(Path(sys.executable).with_name("dbtool")),)
_STATES = "import json, sys; print(json.dumps([*sys.modules]))"
_LISTING = """
import json, os, sys
leave = os._exit
def list_modules(status):
    sys.stderr.write("MODULES" + json.dumps([*sys.modules]))
    sys.stderr.flush()
    leave(status)
os._exit = list_modules
from dbtool.__main__ import main
main()
"""
_BENCH = (
    *("pool-bench", "-p", "./lite.db", "--threads", "2", "--connections", "2", "--duration", "0.2s"),
    *("--processes", "2", "--warm-up", "0.1s", "--quiet"),
)
_QUERY = ("query", "-p", "./lite.db", "select 1")
_OPTIONAL = (
    *("usercustomize", "tomli", "pysqlite3", "psycopg", "psycopg2cffi", "MySQLdb", "nacl", "gevent", "greenlet"),
    *("keyring", "sqlalchemy", "psycopg_pool", "dbutils", "cryptography", "rich", "pygments", "prompt_toolkit"),
    *("shellingham", "colorama", "platformdirs", "playhouse", "peewee", "psycopg2", "pymysql", "sqlcipher3", "cython"),
)
_COMMANDS = (
    ("--help",),
    ("--version",),
    ("query", "--help"),
    _QUERY,
    ("query", "-p", "lite", "select 1", "-F", "table"),
    ("query", "-p", "mysql://u@127.0.0.1:1/d", "select 1"),
    ("query", "-p", "postgresql://u@127.0.0.1:1/d", "select 1"),
    ("query", "-p", "locked", "select 1"),
    ("query", "-p", "nothing", "--debug", "select 1"),
    ("query", "--unknown"),
    ("switch", "lite"),
    ("switch",),
    ("current",),
    ("current", "--explain"),
    ("__complete", "query", "-p", ""),
    ("completions", "bash"),
    ("profile", "list"),
    ("profile", "show", "lite"),
    ("profile", "check", "lite"),
    ("profile", "path"),
    ("profile", "trust", "--help"),
    ("profile", "add", "more", "--url", "sqlite:///x.db"),
    ("profile", "import", "postgresql://u@127.0.0.1/d"),
    _BENCH,
)


@cache
def _modules_of_python() -> frozenset[str]:
    """Name what `python -m` imports before it knows what to run: nobody can take that out of its hands."""
    done = subprocess.run(
        [sys.executable, "-c", f"import runpy\n{_STATES}"], capture_output=True, check=True, cwd="/", env={}
    )
    return frozenset(json.loads(done.stdout)) | {"dbtool", "sitecustomize"}


def _profiles(directory: Path) -> dict[str, str]:
    (directory / "config").mkdir(exist_ok=True)
    (directory / "config" / "p.toml").write_text(
        '[profiles.lite]\nengine = "sqlite"\npath = ":memory:"\n'
        '[profiles.locked]\nengine = "mysql"\nhost = "127.0.0.1"\nport = 1\nuser = "u"\n'
        'password = { keyring = "a/b" }\nconnect_timeout = "2s"\n'
    )
    return surroundings(directory, {"DBTOOL_CONFIG": str(directory / "config" / "p.toml")})


@cache
def _modules_of_dbtool(directory: Path) -> frozenset[str]:
    """Name what the commands import, and what they would import if there was such a thing."""
    directory.mkdir()
    (directory / "lite.db").touch()
    named = {*_OPTIONAL, *sys.stdlib_module_names}
    for arguments in (_QUERY, ("--help",), ("query", "-p", "locked", "select 1")):
        done = subprocess.run(
            [sys.executable, "-c", _LISTING, *arguments],
            capture_output=True,
            check=False,
            cwd=directory,
            env=_profiles(directory),
        )
        named |= {name.partition(".")[0] for name in json.loads(done.stderr.partition(b"MODULES")[2])}
    return frozenset(named)


@pytest.fixture(scope="module")
def hostile_names(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    return _modules_of_dbtool(tmp_path_factory.mktemp("names") / "here") - {"__main__"}


def _fill(directory: Path, names: frozenset[str]) -> Path:
    """Lay a module under every name, each of which tells that it ran; return where."""
    marks = directory / "marks"
    marks.mkdir()
    for name in names:
        text = f"import os\nos.close(os.open({str(marks / name)!r}, os.O_CREAT | os.O_WRONLY))\nraise ImportError\n"
        (directory / f"{name}.py").write_text(text)
    (directory / "lite.db").touch()
    return marks


@pytest.fixture(scope="module")
def hostile_directories(
    tmp_path_factory: pytest.TempPathFactory, hostile_names: frozenset[str]
) -> dict[tuple[str, ...], Path]:
    """A directory with a module under every name that a way to start dbtool might import from it."""
    # `python -m` itself looks for its own parts there first: what it does is done before dbtool begins.
    names = {_SCRIPT: hostile_names, COMMAND: hostile_names - _modules_of_python()}
    directories = {command: tmp_path_factory.mktemp("hostile") for command in names}
    for command, directory in directories.items():
        _fill(directory, names[command])
    return directories


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        *((COMMAND, arguments) for arguments in _COMMANDS),
        # Python does not put the working directory first for a script: only what dbtool starts could.
        *((_SCRIPT, arguments) for arguments in (_QUERY, ("current",), _BENCH)),
    ],
    ids=lambda words: " ".join(word.rpartition("/")[2] for word in words),
)
def test_no_module_of_the_working_directory_is_run_by(
    command: tuple[str, ...], arguments: tuple[str, ...], hostile_directories: dict[tuple[str, ...], Path]
) -> None:
    directory = hostile_directories[command]
    done = _run(directory, *command, *arguments)
    assert not list((directory / "marks").iterdir())
    # A bench that is this short may find the pool at fault.
    assert done.returncode in {0, 2, 3, 5}, done.stderr.decode()
    assert b"Traceback" not in done.stderr or "--debug" in arguments


@pytest.mark.slow
def test_an_empty_part_of_pythonpath_does_not_put_the_working_directory_back(
    tmp_path: Path, hostile_names: frozenset[str]
) -> None:
    marks = _fill(tmp_path, hostile_names - _modules_of_python())
    done = _run(tmp_path, *COMMAND, *_BENCH, environment={"PYTHONPATH": f":{CHECKOUT}:."})
    assert not list(marks.iterdir())
    assert done.returncode in {0, 5}, done.stderr.decode()


@pytest.mark.slow
def test_a_named_pool_brings_its_own_modules_and_none_that_a_library_asks_for(
    tmp_path: Path, hostile_names: frozenset[str]
) -> None:
    own = {"my_pool", "my_settings"}
    marks = _fill(tmp_path, hostile_names - own)
    (tmp_path / "my_pool.py").write_text(
        "import my_settings, peewee, sqlalchemy\n"
        "from contextlib import contextmanager\n"
        "class make:\n"
        "    def __init__(self, connect, *, max_connections, timeout):\n"
        "        import my_late_part\n"
        "        self.connect = connect\n"
        "    @contextmanager\n"
        "    def connection(self):\n"
        "        yield self.connect()\n"
    )
    for name in ("my_settings", "my_late_part"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / (name + '.ran'))!r}, 'w').close()\n")
    done = _run(tmp_path, *_SCRIPT, *_BENCH, "--pool", "my_pool:make")
    assert not list(marks.iterdir())
    assert done.returncode in {0, 5}, done.stderr.decode()
    assert (tmp_path / "my_settings.ran").exists()
    assert (tmp_path / "my_late_part.ran").exists()


@pytest.mark.slow
def test_a_pool_that_is_named_like_a_library_is_the_library(tmp_path: Path, hostile_names: frozenset[str]) -> None:
    marks = _fill(tmp_path, hostile_names)
    done = _run(tmp_path, *_SCRIPT, *_BENCH, "--pool", "peewee:SqliteDatabase")
    assert not list(marks.iterdir()), done.stderr.decode()


def _run(
    directory: Path, *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=directory,
        env=_profiles(directory) | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
