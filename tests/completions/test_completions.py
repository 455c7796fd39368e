"""Completion as a person meets it: Tab is pressed in real shells."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbtool.cli.completion import RENDERERS
from tests.cli.running import run_inside, surroundings
from tests.completions import generate
from tests.completions.driving import InteractiveShell

_PROFILES = "".join(f'[profiles.{name}]\nengine = "mysql"\n' for name in ("staging", "prod-eu", "prod-us"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with three profiles."""
    directory = tmp_path / "config" / "dbtool"
    directory.mkdir(parents=True)
    (directory / "profiles.toml").write_text(_PROFILES)
    return tmp_path


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[InteractiveShell]:
    """Each shell in turn, at its prompt."""
    with InteractiveShell(request.param, home) as shell:
        yield shell


def test_the_committed_scripts_are_those_of_the_app() -> None:
    found = {path.name: path.read_text() for path in generate.DIRECTORY.iterdir()}
    assert found == generate.render_all(), "run: make completions"


@pytest.mark.parametrize("name", RENDERERS)
def test_a_script_is_printed_as_it_is_installed(name: str) -> None:
    done = run_inside("completions", name)
    assert (done.status, done.err) == (0, "")
    assert done.text in generate.render_all().values()


def test_a_script_for_an_unknown_shell_is_refused() -> None:
    done = run_inside("completions", "fsh")
    assert done.status == 2
    assert "'fsh': no such shell; did you mean fish?" in done.err


@pytest.mark.slow
def test_tab_completes_commands_options_values_and_profiles(shell: InteractiveShell, home: Path) -> None:
    (home / "report file.env").touch()
    for typed, run in {
        "switch stag": ["switch", "staging"],
        "query -p stag": ["query", "-p", "staging"],
        "query --profile=stag": ["query", "--profile=staging"],
        "profile show stag": ["profile", "show", "staging"],
        "sw": ["switch"],
        "profile che": ["profile", "check"],
        "profile import pgp": ["profile", "import", "pgpass"],
        "profile import report": ["profile", "import", "report file.env"],
        "profile import --from doten": ["profile", "import", "--from", "dotenv"],
        "query --dry": ["query", "--dry-run"],
        "switch --un": ["switch", "--unset"],
        "query -F ndj": ["query", "-F", "ndjson"],
        "profile check -F jun": ["profile", "check", "-F", "junit"],
        "query --result la": ["query", "--result", "last"],
        "switch --shell=fi": ["switch", "--shell=fish"],
        "current --prompt pl": ["current", "--prompt", "plain"],
        "profile add --tls verify-f": ["profile", "add", "--tls", "verify-full"],
    }.items():
        assert shell.complete(f"dbtool {typed}") == run


def test_tab_offers_every_profile_that_fits(shell: InteractiveShell) -> None:
    assert shell.complete("dbtool switch pr") == ["switch", "prod-"]
    assert "staging" not in shell.offer("dbtool switch prod-", "prod-eu", "prod-us")


def test_fish_says_what_each_profile_is(home: Path) -> None:
    (home / "config" / "dbtool" / "profiles.toml").write_text(
        '[profiles.prod-eu]\nurl = "postgresql://app:hunter2@db.example.com/shop"\nprotected = true\n'
        '[profiles.prod-us]\nengine = "sqlite"\npath = "shop\\u001b.db"\n[profiles.prod-odd]\nurl = 7\n'
    )
    with InteractiveShell("fish", home) as fish:
        assert fish.offer("dbtool switch prod-", "prod-eu", "postgresql db.example.com/shop protected")
        assert "hunter2" not in fish.screen
    done = run_inside("__complete", "described", environment=surroundings(home))
    assert done.lines == [
        "prod-eu\tpostgresql db.example.com/shop protected",
        "prod-us\tsqlite shop\\x1b.db",
        "prod-odd\t",
    ]


def test_tab_completes_files_where_a_file_is_meant(shell: InteractiveShell, home: Path) -> None:
    (home / "report file.sql").touch()
    assert shell.complete("dbtool query -f rep") == ["query", "-f", "report file.sql"]
    assert shell.complete("dbtool query -o rep") == ["query", "-o", "report file.sql"]


def test_tab_completes_profiles_of_the_configuration_that_is_named(shell: InteractiveShell, home: Path) -> None:
    (home / "other.toml").write_text('[profiles.elsewhere]\nengine = "mysql"\n')
    assert shell.complete("dbtool query --config other.toml -p els") == [
        "query", "--config", "other.toml", "-p", "elsewhere",
    ]  # fmt: skip


def test_a_broken_file_shows_nothing_in_the_line_and_hides_no_other(shell: InteractiveShell, home: Path) -> None:
    directory = home / "config" / "dbtool" / "profiles.d"
    directory.mkdir()
    (directory / "broken.toml").write_text("[profiles")
    (home / "state" / "dbtool").mkdir(parents=True)
    (home / "state" / "dbtool" / "state.json").write_text("{")
    assert shell.complete("dbtool switch stag") == ["switch", "staging"]
    for word in ("error", "warning", "Traceback", "does not parse"):
        assert word not in shell.screen


def test_without_any_profile_nothing_is_inserted(shell: InteractiveShell, home: Path) -> None:
    (home / "config" / "dbtool" / "profiles.toml").unlink()
    assert shell.complete("dbtool switch stag") == ["switch", "stag"]
    assert "error" not in shell.screen


def test_names_for_completion_are_printed_without_typer_or_a_database_library(home: Path) -> None:
    code = (
        "import sys, atexit; sys.argv[1:] = ['__complete', 'profiles']\n"
        "import os; os._exit = sys.exit\n"
        "from dbtool.__main__ import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(n for n in "
        "('typer', 'rich', 'peewee', 'dataclasses', 'json', 'dbtool.profiles.checks.validate') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=generate.DIRECTORY.parent,
        env={"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "DBTOOL_CONFIG": str(home / "config/dbtool")},
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["staging", "prod-eu", "prod-us"], "")


@pytest.mark.parametrize("config", ["/nowhere/at/all", "/dev/null/x"])
def test_names_that_cannot_be_had_are_passed_over_in_silence(config: str) -> None:
    done = run_inside("__complete", "profiles", environment={"DBTOOL_CONFIG": config})
    assert (done.out, done.err) == (b"", "")


def test_a_name_that_a_shell_might_expand_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('[profiles."$(touch hit)"]\nengine = "mysql"\n[profiles.fine]\nengine = "mysql"\n')
    done = run_inside("__complete", "profiles", environment={"DBTOOL_CONFIG": str(tmp_path / "x.toml")})
    assert done.lines == ["fine"]
