"""Addresses as they work with psql and mariadb: URLs, libpq's strings, services, several hosts, session settings."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.cli.profile_shell import Shell
from tests.cli.running import run_inside
from tests.native import run_mariadb, run_psql
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer

STATE = (
    "select current_database(), current_user, inet_server_port(), current_setting('application_name'),"
    " current_setting('search_path'), current_setting('work_mem'), current_setting('client_encoding'),"
    " current_setting('statement_timeout'), current_setting('datestyle'), current_setting('transaction_read_only')"
)


def ask(*arguments: str | Path, environment: dict[str, str] | None = None) -> bytes:
    done = run_inside("query", *arguments, STATE, "-F", "tsv", "--no-header", environment=environment)
    assert done.status == 0, done.err
    return done.out


PARAMETERS = [
    "application_name=job%207",
    "fallback_application_name=job",
    "fallback_application_name=no&application_name=yes",
    "options=-c%20work_mem%3D7MB%20-csearch_path%3Da%2Cb",
    "options=-c%20datestyle%3DISO%2C%5C%20DMY%20--statement-timeout%3D9s",
    "client_encoding=LATIN1",
    "keepalives=1&keepalives_idle=30&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=9000",
    "channel_binding=disable&gssencmode=disable&sslcompression=0&sslsni=0&krbsrvname=x&requirepeer=",
    "load_balance_hosts=random&target_session_attrs=any&require_auth=none",
    "ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3&sslmode=disable&connect_timeout=5",
    "hostaddr=127.0.0.1",
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_a_url_means_what_it_means_to_psql(
    parameters: str, postgres: PostgresServer, postgres_database: DatabaseAddress
) -> None:
    url = f"{postgres_database.url}?{parameters}"
    # What psql calls itself, and the encoding that it takes from the server, are its own.
    own = {"PGAPPNAME": "dbtool"} if "application_name" not in parameters else {}
    # The machine's own libpq may be too old for some, and psql has a name to fall back to already.
    known = [part for part in parameters.split("&") if not part.startswith(("load_balance_hosts", "require_auth"))]
    known = ["application_name=job" if part == "fallback_application_name=job" else part for part in known]
    native = run_psql(
        postgres,
        f"{postgres_database.url}?{'&'.join(known)}",
        STATE.encode(),
        variables={"PGCLIENTENCODING": "UTF8", **own},
    )
    assert ask("-p", url) == native


@pytest.mark.parametrize("parameters", PARAMETERS[:6])
def test_a_service_means_what_it_means_to_psql(
    parameters: str, postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    lines = [unquote(part) for part in parameters.split("&")]
    own = {"PGAPPNAME": "job"} if parameters == "fallback_application_name=job" else {}
    place = [f"host={postgres.host}", f"port={postgres.port}", f"user={postgres.user}"]
    (tmp_path / "services.conf").write_text("\n".join(["[s]", *place, f"dbname={postgres_database.database}", *lines]))
    variables = {"PGSERVICEFILE": str(tmp_path / "services.conf"), "PGCLIENTENCODING": "UTF8", **own}
    if "application_name" not in parameters:
        variables["PGAPPNAME"] = "dbtool"
    (tmp_path / "p.toml").write_text('[profiles.p]\nengine = "postgresql"\nservice = "s"\n')
    native = run_psql(postgres, "service=s", STATE.encode(), variables=variables)
    found = ask("--config", tmp_path / "p.toml", "-p", "p", environment={"PGSERVICEFILE": variables["PGSERVICEFILE"]})
    assert found == native


@pytest.mark.parametrize(
    "form",
    [
        "host={host} port={port} user={user} dbname={database}",
        "  dbname = '{database}' host='{host}'port={port} user={user}",
        "host=127.0.0.1,{host} port=1,{port} user={user} dbname={database} application_name='a b'",
        r"user={user} host={host} port={port} dbname={database} options='-c work_mem=9MB -c datestyle=ISO,\\ YMD'",
    ],
)
@pytest.mark.parametrize("how", ["flag", "variable", "profile"])
def test_a_string_of_libpqs_is_an_address(
    form: str, how: str, postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    text = form.format(host=postgres.host, port=postgres.port, user=postgres.user, database=postgres_database.database)
    own = {} if "application_name" in form else {"PGAPPNAME": "dbtool"}
    native = run_psql(postgres, text, STATE.encode(), variables={"PGCLIENTENCODING": "UTF8", **own})
    if how == "flag":
        assert ask("-p", text) == native
    elif how == "variable":
        assert ask(environment={"DBTOOL_PROFILE": text}) == native
    else:
        (tmp_path / "p.toml").write_text(f"[profiles.p]\nurl = '''{text}'''\n")
        assert ask("--config", tmp_path / "p.toml", "-p", "p") == native


def test_the_password_of_a_libpq_string_works_and_is_shown_nowhere(postgres_new: PostgresServer) -> None:
    assert postgres_new.password is not None
    quoted = postgres_new.password.replace("\\", "\\\\").replace("'", "\\'")
    place = f"host={postgres_new.host} port={postgres_new.port} user={postgres_new.user}"
    text = f"{place} password='{quoted}' dbname=postgres"
    assert run_inside("query", "-p", text, "select 1").status == 0
    for broken in (
        text.replace("dbname=postgres", "dbname=nothing"),
        text.replace("password='", "password='wrong"),
        text.replace("dbname=postgres", "dbname='postgres"),
        text.replace("dbname=postgres", "nonsense=1"),
        text.replace("user=", "sslmode=nonsense user="),
    ):
        for more in ([], ["--debug"]):
            done = run_inside("query", "-p", broken, "select 1", *more)
            assert done.status == 2, done.err
            assert quoted not in done.err
            assert postgres_new.password not in done.err
    for command in (["current", "-p", text], ["current", "--explain", "-p", text]):
        done = run_inside(*command)
        assert quoted not in done.text + done.err


@pytest.mark.parametrize(
    "form",
    [
        'host = "127.0.0.1:1,{host}:{port}"',
        'host = "127.0.0.1:1,{host}"\nport = {port}',
        'host = "{host}:{port}"',
        'url = "postgresql://{user}@127.0.0.1:1,{host}:{port}/{database}"',
    ],
)
def test_hosts_have_a_port_each(
    form: str, postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    database, user = postgres_database.database, postgres.user
    lines = form.format(host=postgres.host, port=postgres.port, database=database, user=user)
    more = "" if "url" in form else f'database = "{database}"\nengine = "postgresql"\nuser = "{user}"\n'
    (tmp_path / "p.toml").write_text(f"[profiles.p]\n{lines}\n{more}")
    assert ask("--config", tmp_path / "p.toml", "-p", "p").split(b"\t")[2] == str(postgres.port).encode()


def test_a_mariadb_host_has_its_port_behind_it(mariadb: MariaDbServer, tmp_path: Path) -> None:
    text = f'[profiles.p]\nengine = "mariadb"\nhost = "{mariadb.host}:{mariadb.port}"\nuser = "root"\n'
    (tmp_path / "p.toml").write_text(text)
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select @@port", "-F", "value")
    assert done.text == f"{mariadb.port}\n"


def test_a_profile_sets_its_sessions_search_path_name_and_settings(
    postgres: PostgresServer, postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(
        f'[profiles.p]\nurl = "{postgres_database.url}"\nsearch_path = \'shop, "My \\ Own", public\'\n'
        'application_name = "it\'s a job"\n'
        '[profiles.p.session]\nwork_mem = "7MB"\ndatestyle = "ISO, DMY"\nstatement_timeout = "${LIMIT:-9s}"\n'
    )
    found = ask("--config", tmp_path / "p.toml", "-p", "p").decode().split("\t")
    assert found[3:8] == ["it's a job", 'shop, "My \\\\ Own", public', "7MB", "UTF8", "9s"]
    assert found[8] == "ISO, DMY"
    reset = run_inside(
        "query",
        "--config",
        tmp_path / "p.toml",
        "-p",
        "p",
        "-F",
        "value",
        "set work_mem = '1MB'; reset all; select current_setting('work_mem')",
    )
    assert reset.text == "7MB\n"


def test_a_mariadb_profile_sets_its_sessions_settings(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(
        f'[profiles.p]\nurl = "{mariadb_database.url}"\n'
        'session = { wait_timeout = "77", sql_mode = "ANSI_QUOTES", time_zone = "+03:00" }\n'
    )
    look = "select @@wait_timeout, @@sql_mode, @@time_zone"
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", look, "-F", "tsv", "--no-header")
    setting = b"set @@session.wait_timeout = 77, @@session.sql_mode = 'ANSI_QUOTES', @@session.time_zone = '+03:00';"
    assert done.out == run_mariadb(mariadb, mariadb_database, setting + look.encode())


def test_a_setting_that_the_server_does_not_know_fails_to_connect_and_says_so(
    postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    for database in (postgres_database, mariadb_database):
        (tmp_path / "p.toml").write_text(f'[profiles.p]\nurl = "{database.url}"\nsession = {{ nonsense = "hush" }}\n')
        done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select 1")
        assert done.status == 2
        assert "nonsense" in done.err
        assert "hush" not in done.err


def test_settings_at_the_start_of_a_session_are_refused_behind_a_pooler_that_has_none(
    pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    url = f"postgresql://postgres@{pgbouncer.host}:{pgbouncer.port}/postgres"
    (tmp_path / "p.toml").write_text(f'[profiles.p]\nurl = "{url}"\nsession = {{ work_mem = "7MB" }}\n')
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select 1")
    assert done.status == 2
    assert "unsupported startup parameter: options" in done.err
    assert run_inside("query", "-p", f"{url}?application_name=job", "select 1").status == 0


def test_gss_does_not_take_the_place_of_tls_that_was_demanded() -> None:
    done = run_inside("query", "-p", "postgresql://127.0.0.1:1/d?gssencmode=prefer&sslmode=verify-full", "select 1")
    assert done.status == 2
    assert "gssencmode: GSS would take the place of the TLS" in done.err


@pytest.mark.parametrize("source", ["dotenv", "service", "pgpass", "pgpass elsewhere"])
def test_an_imported_profile_works_at_once_and_its_password_stays_where_it_was(
    source: str, postgres_new: PostgresServer, tmp_path: Path
) -> None:
    assert postgres_new.password is not None
    shell = Shell(home=tmp_path)
    host, port, user, password = postgres_new.host, postgres_new.port, postgres_new.user, postgres_new.password
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    url = f"postgres://{user}:{quote(password, safe='')}@{host}:{port}/postgres?pool_size=3"
    written = {
        "dotenv": (shell.work / ".env", f'# mine\nSHOP_DATABASE_URL="{url}"\n'),
        "service": (
            tmp_path / ".pg_service.conf",
            f"[shop]\nhost={host}\nport={port}\nuser={user}\npassword={password}\n",
        ),
        "pgpass": (tmp_path / ".pgpass", f"{host}:{port}:postgres:{user}:{escaped}\n"),
        "pgpass elsewhere": (shell.work / "pgpass.conf", f"{host}:{port}:postgres:{user}:{escaped}\n"),
    }
    file, text = written[source]
    file.write_text(text)
    file.chmod(0o600)
    done = shell.run(
        "profile", "import", "pgpass.conf" if "elsewhere" in source else source, "--name", "shop", "-F", "csv"
    )
    assert done.status == 0, done.err
    assert "says it when a connection opens" in done.text
    assert password not in shell.file.read_text()
    assert quote(password, safe="") not in shell.file.read_text()
    asked = shell.run("query", "-p", "shop", "select current_user", "-F", "value")
    assert (asked.status, asked.text) == (0, f"{user}\n"), asked.err
