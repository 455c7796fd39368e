"""What `dbtool profile list`, `check`, `import` and `show` print fits a screen, and says all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import run_inside, surroundings
from tests.cli.terminal import on_terminal
from tests.servers.database import DatabaseAddress

_FILE = """\
[profiles.production-reporting]
engine = "postgresql"
host = "db-replica-2.internal.example.com"
port = 5433
database = "reporting_warehouse"
user = "reporting"
tls = "verify-full"
protected = true
tags = ["eu", "replica"]

[profiles.lite]
engine = "sqlite"
path = ":memory:"
tags = ["eu"]

[profiles.wrong]
engine = "sqlite"
pth = "/a/long/path/that/is/no/key/at/all/and/makes/a/line/longer/than/any/screen/of/eighty/columns.db"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user with profiles."""
    path = tmp_path / "config" / "dbtool" / "profiles.toml"
    path.parent.mkdir(parents=True)
    path.write_text(_FILE)
    return tmp_path


def _run(home: Path, *arguments: str) -> tuple[int, str, str]:
    done = run_inside("profile", *arguments, environment=surroundings(home))
    return done.status, done.text, done.err


def _show(home: Path, *arguments: str) -> list[str]:
    """Return the table that a command prints on a terminal, whose errors go elsewhere."""
    with on_terminal("profile", *arguments, home=home, stderr=subprocess.DEVNULL) as terminal:
        terminal.finish()
    return [line.rstrip() for line in terminal.screen.splitlines()]


@pytest.mark.parametrize("command", [("list",), ("check", "lite", "wrong"), ("path",)], ids=lambda words: words[0])
def test_a_table_fits_80_columns_and_loses_nothing(home: Path, command: tuple[str, ...]) -> None:
    lines = _show(home, *command)
    assert max(map(len, lines)) <= 80
    if command == ("list",):
        cells = [
            "".join(part)
            for part in zip(
                *([cell.strip() for cell in line.split("│")] for line in lines[2:] if "│" in line), strict=True
            )
        ]
        for text in ("production-reporting", "db-replica-2.internal.example.com:5433/reporting_warehouse"):
            assert any(text in cell for cell in cells), lines
        assert any("~/config/dbtool/profiles.toml:1" in cell for cell in cells), lines


def test_problems_stand_below_the_table(home: Path) -> None:
    for command in (("list",), ("check", "wrong")):
        _status, out, err = _run(home, *command)
        assert "pth" not in out
        assert "problem" not in out
        assert "pth" in err
        assert "pth" in _run(home, *command, "-F", "csv")[1]


def test_a_listing_off_a_terminal_has_a_line_for_each_profile(home: Path) -> None:
    _status, out, _err = _run(home, "list")
    assert len(out.splitlines()) == 5
    assert "~/config/dbtool/profiles.toml:1" in out
    assert f"{home}/config/dbtool/profiles.toml:1" in _run(home, "list", "-F", "json")[1]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--tag", "eu"], ["production-reporting", "lite"]),
        (["--tag", "eu", "--tag", "replica"], ["production-reporting"]),
        ([], ["production-reporting", "lite", "wrong"]),
    ],
)
def test_profiles_are_listed_by_tag_and_column(home: Path, options: list[str], names: list[str]) -> None:
    status, out, _err = _run(home, "list", *options, "-F", "value", "--columns", "name")
    assert (status, out.split()) == (0, names)


def test_columns_come_in_the_order_that_is_asked_for(home: Path) -> None:
    assert _run(home, "list", "--tag", "replica", "-F", "csv", "--columns", "engine, name")[1] == (
        "engine,name\npostgresql,production-reporting\n"
    )
    assert json.loads(_run(home, "check", "lite", "-F", "json", "--columns", "profile,status")[1]) == [
        {"profile": "lite", "status": "ok"}
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--columns", "nam"), "did you mean name?"),
        (("list", "--columns", ""), "no such column"),
        (("list", "--tag", "replcia"), "did you mean replica?"),
        (("list", "-F", "value"), "value"),
        (("check", "--tag", "none"), "no profile has the tags none"),
        (("check", "lite", "--tag", "eu"), "not both"),
        (("check", "lite", "-F", "junit", "--columns", "profile"), "--columns"),
        (("check", "lite", "-F", "json", "--columns", "latency"), "did you mean latency_ms?"),
    ],
)
def test_what_is_not_there_to_list_is_refused(home: Path, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = _run(home, *arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_a_check_takes_urls_paths_and_options(home: Path, postgres_database: DatabaseAddress) -> None:
    (home / "x.db").touch()
    asked = ("check", postgres_database.url, "-p", "lite", "-p", f"{home}/x.db", "-F", "json")
    status, out, err = _run(home, *asked)
    assert status == 0, err
    assert [row["status"] for row in json.loads(out)] == ["ok", "ok", "ok"]
    status, out, _err = _run(
        home, "check", "--tag", "eu", "--tag", "replica", "-F", "csv", "--columns", "profile,status"
    )
    assert (status, out) == (3, "profile,status\nproduction-reporting,unreachable\n")


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ('engine = "sqlite"\npath = "x.db"', "SQLite, {directory}/x.db"),
        ('engine = "sqlite"\npath = ":memory:"', "SQLite, :memory:"),
        ('engine = "postgresql"', "PostgreSQL at 127.0.0.1:5432, TLS prefer"),
        ('url = "mysql://u:hunter2@h/d?ssl-mode=required"', "MySQL at h:3306, database d, as u, TLS require"),
        ('url = "postgresql://u@[::1]:5433/d"', "PostgreSQL at [::1]:5433, database d, as u, TLS prefer"),
        ('url = "postgresql://a:1,b:2/d"', "PostgreSQL at a:1,b:2, database d, TLS prefer"),
        ('engine = "postgresql"\nsocket = "/run/x"', "PostgreSQL at /run/x, TLS prefer"),
        ('engine = "postgresql"\nservice = "shop"', "PostgreSQL, TLS prefer, and what shop says"),
        ('url = "postgresql://u@${HOST}/d"', "PostgreSQL at ${{HOST}}:5432, database d, as u, TLS prefer"),
    ],
)
def test_a_profile_is_shown_with_where_it_connects_first(keys: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f"[profiles.x]\n{keys}\n")
    done = run_inside("profile", "show", "x", "--config", "p.toml", "-F", "csv", cwd=tmp_path)
    assert done.status == 0, done.err
    first = done.text.splitlines()[1]
    assert first.replace('"', "") == f"connects to,{place.format(directory=tmp_path)},"
    assert "hunter2" not in done.text


def test_what_an_import_leaves_out_stands_below_its_table(home: Path) -> None:
    (home / ".pg_service.conf").write_text(
        "[shop]\nhost=db.example.com\nuser=app\npassword=hunter2\nkrbsrvname=a\nhostaddrs=x\n[lite]\nhost=db\n"
    )
    lines = _show(home, "import", "service", "--dry-run")
    assert max(map(len, lines)) <= 80
    assert any("~/.pg_service.conf:1" in line for line in lines), lines
    _status, out, err = _run(home, "import", "service", "--dry-run")
    assert "--password-keyring" not in out
    assert "shop, hostaddrs: left out: dbtool has no such setting" in err
    assert "hunter2" not in out + err
