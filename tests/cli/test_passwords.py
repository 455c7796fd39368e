"""A password that only a person knows: asked for unseen, once, and offered to the keyring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.profile_shell import FAKE_KEYRING
from tests.cli.running import CHECKOUT, run_inside
from tests.cli.terminal import on_terminal
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

_SECRET = "hunter2 ${x}"


@pytest.fixture(params=["postgres_new", "mariadb"])
def asking(request: pytest.FixtureRequest) -> DatabaseAddress:
    """A database whose server asks for a password."""
    address: DatabaseAddress = request.getfixturevalue(f"{request.param}_database")
    if request.param == "mariadb":
        server: MariaDbServer = request.getfixturevalue("mariadb")
        server.execute("create or replace user asked identified by 'hunter2 ${x}'")
        server.execute(f"grant all on {address.database}.* to asked")
        return replace(address, user="asked", password=_SECRET)
    return address


def _write_profile(home: Path, address: DatabaseAddress) -> Path:
    """Write a profile without the password, into the user's own file."""
    path = home / "config" / "dbtool" / "profiles.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f'# mine\n[profiles.shop]\nurl = "{replace(address, password=None).url}"\n')
    return path


def _keyring(home: Path) -> dict[str, str]:
    """Put a keyring in the place of the platform's."""
    modules = home / "modules"
    modules.mkdir()
    (modules / "keyring.py").write_text(FAKE_KEYRING)
    return {"FAKE_KEYRING": str(home / "kept.json"), "PYTHONPATH": f"{modules}:{CHECKOUT}"}


def test_off_a_terminal_it_is_said_what_is_missing(asking: DatabaseAddress, tmp_path: Path) -> None:
    _write_profile(tmp_path, asking)
    surroundings = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = run_inside("query", "-p", "shop", "select 1", environment=surroundings)
    assert (done.status, done.out, done.err.count("\n")) == (2, b"", 1)
    assert "this profile has no password: `dbtool profile password shop` keeps one" in done.err
    done = run_inside("query", "-p", replace(asking, password=None).url, "select 1")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "this profile has no password: write it into the URL" in done.err
    done = run_inside("query", "-p", replace(asking, password="wrong").url, "select 1")
    assert done.status == 2
    assert "this profile has no password" not in done.err
    if asking.scheme == "postgresql":
        known = {"PGPASSWORD": asking.password or ""}
        assert run_inside("query", "-p", replace(asking, password=None).url, "select 1", environment=known).status == 0


def test_a_project_that_nobody_trusts_is_given_no_password(asking: DatabaseAddress, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "dbtool.toml").write_text(f'[profiles.shop]\nurl = "{replace(asking, password=None).url}"\n')
    with on_terminal("query", "-p", "shop", "select 1", home=tmp_path, cwd=tmp_path / "work") as terminal:
        assert terminal.finish() == 2
    assert "`dbtool profile trust`" in terminal.screen
    assert "password of" not in terminal.screen


def test_on_a_terminal_it_is_asked_for_unseen_and_kept_if_wanted(asking: DatabaseAddress, tmp_path: Path) -> None:
    path, surroundings = _write_profile(tmp_path, asking), _keyring(tmp_path)
    assert asking.password
    sql = "select concat('in', 1) as a"
    with on_terminal("query", "-p", "shop", sql, home=tmp_path, environment=surroundings) as terminal:
        terminal.wait_for(f"password of {asking.user} at {asking.host}: ")
        terminal.enter(asking.password)
        terminal.wait_for("keep it in the keyring for shop? [y/N]: ")
        terminal.enter("y")
        terminal.wait_for("in1")
        assert terminal.finish() == 0
    assert asking.password not in terminal.screen
    assert json.loads((tmp_path / "kept.json").read_text()) == {"dbtool/shop": asking.password}
    assert path.read_text().splitlines()[-1] == 'password = { keyring = "dbtool/shop" }'
    assert path.read_text().startswith("# mine\n")
    with on_terminal("query", "-p", "shop", "select 2 as b", home=tmp_path, environment=surroundings) as terminal:
        assert terminal.finish() == 0
    assert "password of" not in terminal.screen


def test_a_password_is_asked_for_once(postgres_new_database: DatabaseAddress, tmp_path: Path) -> None:
    _write_profile(tmp_path, postgres_new_database)
    with on_terminal("query", "-p", "shop", home=tmp_path) as terminal:
        terminal.wait_for("password of ")
        terminal.enter(postgres_new_database.password or "")
        terminal.wait_for("shop")
        terminal.enter("select pg_terminate_backend(pg_backend_pid());")
        terminal.wait_for("opened again")
        terminal.enter("select 'still ' || 'here';")
        terminal.wait_for("still here")
        terminal.wait_for("shop>")
        terminal.end_input()
        assert terminal.finish() == 0
    assert terminal.screen.count("password of ") == 1


@pytest.mark.parametrize(("keys", "status"), [("\x03", 130), ("wrong\r", 2), ("\r", 2)])
def test_a_question_ends_at_ctrl_c_and_a_wrong_answer_is_no_loop(
    keys: str, status: int, postgres_new_database: DatabaseAddress, tmp_path: Path
) -> None:
    url = replace(postgres_new_database, password=None).url
    with on_terminal("query", "-p", url, "select 1", home=tmp_path) as terminal:
        terminal.wait_for("password of ")
        terminal.type(keys)
        assert terminal.finish() == status
    assert terminal.screen.count("password of ") == 1


def test_all_profiles_are_checked_without_a_question(postgres_new_database: DatabaseAddress, tmp_path: Path) -> None:
    _write_profile(tmp_path, postgres_new_database)
    with on_terminal("profile", "check", "--all", home=tmp_path) as terminal:
        assert terminal.finish() == 2
    assert "this profile has no password" in " ".join(terminal.screen.split())
    with on_terminal("profile", "check", "shop", home=tmp_path) as terminal:
        terminal.wait_for("password of ")
        terminal.enter(postgres_new_database.password or "")
        assert terminal.finish() == 0
    assert quote(postgres_new_database.password or "") not in terminal.screen
