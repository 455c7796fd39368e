"""A secret is used and never shown: not in output, errors, tracebacks, listings or the process list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.fakes import silent_port
from tests.cli.running import Completed, run_inside
from tests.cli.watching import eventually, started
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.processes import find_free_port

_SECRET = "hunter2 is no password"


def _everything(done: Completed) -> str:
    return done.out.decode("utf-8", "replace") + done.err


@pytest.fixture(params=["postgres_new", "mariadb", "mysql"])
def guarded(request: pytest.FixtureRequest) -> DatabaseAddress:
    """A database whose server asks for a password, with a wrong one."""
    address: DatabaseAddress = request.getfixturevalue(f"{request.param}_database")
    user = address.user if request.param == "postgres_new" else "nobody_known"
    return replace(address, user=user, password=_SECRET)


def test_no_error_and_no_traceback_holds_a_password(guarded: DatabaseAddress, tmp_path: Path) -> None:
    engine = {"postgresql": "postgresql", "mysql": "mariadb"}[guarded.scheme]
    head = f'engine = "{engine}"\nhost = "{guarded.host}"\nport = {guarded.port}\nuser = "{guarded.user}"\n'
    (tmp_path / "secret").write_text(_SECRET + "\n")
    (tmp_path / "p.toml").write_text(
        f'[profiles.plain]\n{head}password = "{_SECRET}"\n'
        f"[profiles.variable]\n{head}password = {{ env = 'THE_SECRET' }}\n"
        f"[profiles.command]\n{head}password = {{ command = ['cat', 'secret'] }}\n"
        f"[profiles.reference]\n{head}password = '${{THE_SECRET}}'\n"
    )
    surroundings = {"THE_SECRET": _SECRET}

    def run(*arguments: str) -> Completed:
        return run_inside(*arguments, "--config", "p.toml", cwd=tmp_path, environment=surroundings)

    for name in ("plain", "variable", "command", "reference"):
        done = run("query", "-p", name, "select 1", "--debug")
        assert done.status != 0
        assert "Traceback" in done.err
        assert _SECRET not in _everything(done), name
    checked = run("profile", "check", "--all", "-F", "json")
    assert checked.status == 2
    assert _SECRET not in _everything(checked)
    assert _SECRET not in _everything(run("profile", "check", "--all", "-F", "junit"))
    for listing in (("profile", "show", "plain"), ("profile", "show", "reference"), ("profile", "list", "-F", "json")):
        done = run(*listing)
        assert done.status == 0
        assert _SECRET not in _everything(done)


def test_a_secret_that_cannot_be_had_shows_nothing_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"hunter2\xff\xfe")
    (tmp_path / "p.toml").write_text(
        '[profiles.binary]\nengine = "postgresql"\nhost = "127.0.0.1"\npassword = { file = "binary" }\n'
        "[profiles.failing]\nengine = 'postgresql'\nhost = '127.0.0.1'\n"
        "password = { command = ['sh', '-c', 'echo hunter2; echo locked >&2; exit 3'] }\n"
    )
    for name, said in (("binary", "is not UTF-8 text"), ("failing", "failed with status 3: locked")):
        done = run_inside("query", "--config", "p.toml", "-p", name, "select 1", "--debug", cwd=tmp_path)
        assert done.status != 0
        assert said in done.err
        assert "hunter2" not in done.err


def test_a_password_in_a_url_is_masked_in_errors(guarded: DatabaseAddress) -> None:
    done = run_inside("query", "-p", guarded.url, "select 1")
    assert done.status == 2
    assert guarded.user in done.err
    for secret in (_SECRET, guarded.url, "hunter2"):
        assert secret not in done.err
    # Loopback: nobody but this machine's users could have seen it, and the process list no longer shows it.
    assert "can be seen" not in done.err


@pytest.mark.parametrize("given", ["-p", "--profile="])
def test_a_password_in_an_argument_is_gone_from_the_process_list(tmp_path: Path, given: str) -> None:
    with silent_port() as port:
        url = f"postgresql://someone:hunter2%40x@127.0.0.1:{port}/shop?application_name=x"
        arguments = (given + url,) if given.endswith("=") else (given, url)
        with started("query", *arguments, "select 1", home=tmp_path, forks=False) as process:
            command = Path(f"/proc/{process.pid}/cmdline")
            eventually(lambda: b"dbtool" in command.read_bytes() and b"hunter2" not in command.read_bytes())
            shown = command.read_bytes()
    assert b"someone:***********@127.0.0.1" in shown
    assert shown.endswith(b"/shop?application_name=x\0select 1\0")


def test_a_password_in_an_argument_is_warned_of_unless_it_stays_on_the_machine() -> None:
    # An address that is not loopback's, and does not leave the machine all the same.
    done = run_inside("query", "-p", f"postgresql://u:hunter2@0.0.0.0:{find_free_port()}/d", "select 1")
    assert done.status == 3
    assert "dbtool: warning: a password in an argument can be seen by other users of this machine" in done.err
    assert "hunter2" not in done.err


def test_a_password_in_a_variable_is_nothing_that_others_see() -> None:
    url = f"postgresql://u:hunter2@0.0.0.0:{find_free_port()}/d"
    done = run_inside("query", "select 1", environment={"DBTOOL_PROFILE": url})
    assert done.status == 3
    assert done.err.count("\n") == 1
    assert "hunter2" not in done.err


_POISON = {
    "PGHOST": "/nowhere",
    "PGHOSTADDR": "127.0.0.9",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nowhere",
    "PGSERVICE": "nowhere",
    "PGSERVICEFILE": "/nowhere",
    "PGOPTIONS": "-c search_path=poisoned",
    "PGTZ": "Asia/Tokyo",
    "PGDATESTYLE": "German",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nowhere",
    "PGREQUIRESSL": "1",
    "PGAPPNAME": "poisoned",
    "PGCLIENTENCODING": "LATIN1",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "gss",
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGCONNECT_TIMEOUT": "1",
    "PGMINPROTOCOLVERSION": "9",
}


def test_no_variable_of_libpq_changes_what_a_profile_says(postgres_database: DatabaseAddress, tmp_path: Path) -> None:
    asked = (
        "select current_database(), current_user, current_setting('search_path'), current_setting('timezone'), "
        "current_setting('datestyle'), current_setting('application_name'), current_setting('client_encoding')"
    )
    arguments = ("query", "-p", postgres_database.url, asked)
    clean, poisoned = run_inside(*arguments), run_inside(*arguments, environment=_POISON)
    assert clean.status == 0
    assert clean == poisoned


def test_two_variables_and_pgpass_fill_what_a_profile_leaves_open(
    postgres_new_database: DatabaseAddress, tmp_path: Path
) -> None:
    address = postgres_new_database
    password = address.password
    assert password is not None
    bare = replace(address, password=None).url
    line = f"*:*:*:*:{password.replace(':', chr(92) + ':')}\n"
    (tmp_path / ".pgpass").write_text(line)
    (tmp_path / ".pgpass").chmod(0o600)
    (tmp_path / "other").write_text(line)
    (tmp_path / "other").chmod(0o600)

    def ask(url: str, environment: Mapping[str, str]) -> int:
        return run_inside("query", "-p", url, "select 1", environment=environment).status

    assert ask(bare, {}) == 2
    assert ask(bare, {"PGPASSWORD": password}) == 0
    assert ask(bare, {"HOME": str(tmp_path)}) == 0
    assert ask(bare, {"PGPASSFILE": str(tmp_path / "other")}) == 0
    # What the profile says wins.
    assert ask(address.url, {"PGPASSWORD": "wrong"}) == 0


def test_no_file_of_mysql_is_read_behind_the_profiles_back(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / ".my.cnf").write_text("[client]\nhost = 127.0.0.9\nport = 1\nuser = nobody\npassword = wrong\n")
    surroundings = {"HOME": str(tmp_path), "MYSQL_HOST": "127.0.0.9", "MYSQL_PWD": "wrong", "MYSQL_TCP_PORT": "1"}
    done = run_inside("query", "-p", mariadb_database.url, "select 1 as a", environment=surroundings)
    assert (done.status, done.out) == (0, b"a\n1\n")


@pytest.mark.parametrize(
    "argument",
    ["jdbc:postgresql//127.0.0.1/x?user=u&password=s3cr3t", "mysql//root:s3cr3t@127.0.0.1/x", "pg:s3cr3t@//host/x"],
)
def test_a_mistyped_url_does_not_show_its_password(argument: str) -> None:
    done = run_inside("query", "-p", argument, "select 1")
    assert done.status == 2
    assert "looks like a URL" in done.err
    assert "s3cr3t" not in done.err


@pytest.mark.parametrize("password", ["s3cr3t", "wrong&more=s3cr3t"])
def test_a_url_of_javas_does_not_show_its_password(password: str) -> None:
    done = run_inside("query", "-p", f"jdbc:postgresql://127.0.0.1:1/x?user=u&password={password}", "select 1")
    assert done.status in {2, 3}
    assert "s3cr3t" not in done.err
