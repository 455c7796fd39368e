"""What a stranger's project, or a setting at the start of a session, would do by an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run_inside
from tests.servers.database import DatabaseAddress


def run_in_project(tmp_path: Path, text: str, *arguments: str) -> tuple[int, str]:
    (tmp_path / "project").mkdir(exist_ok=True)
    (tmp_path / "project" / "dbtool.toml").write_text(text)
    done = run_inside("query", "-p", "p", *arguments, "select 1", cwd=tmp_path / "project")
    return done.status, done.err


@pytest.mark.parametrize(
    "line",
    [
        'url = "postgresql://127.0.0.1/d?options=-c%20session_preload_libraries%3Devil"',
        "url = \"host=127.0.0.1 options='-c role=admin'\"",
        'url = "postgresql://127.0.0.1/d?passfile=/etc/shadow"',
        'url = "postgresql://127.0.0.1/d?sslcrl=/etc/shadow"',
        'url = "host=127.0.0.1 hostaddr=203.0.113.5 dbname=d"',
        'url = "service=prod"',
        'url = "postgresql://127.0.0.1/d?sslkey=../../key&sslcert=x"',
        'engine = "postgresql"\npassfile = "x"',
        'engine = "postgresql"\nlibpq = { sslcrldir = "/etc" }',
        'engine = "postgresql"\nsession = { role = "admin" }',
        'engine = "mysql"\nsession = { init_connect = "x" }',
        'url = "postgresql://127.0.0.1/d?application_name=${HOME}"',
    ],
)
def test_a_strangers_project_names_no_file_service_or_setting_by_an_address(line: str, tmp_path: Path) -> None:
    status, err = run_in_project(tmp_path, f"[profiles.p]\n{line}\n")
    assert status == 2
    assert "needs trust" in err


@pytest.mark.parametrize(
    "host",
    [
        "localhost:5432,203.0.113.5:5432",
        "[::1]:5432,203.0.113.5",
        "203.0.113.5:5432",
        "[203.0.113.5]:1",
        "localhost,evil:1",
    ],
)
def test_a_host_elsewhere_is_no_loopback_whatever_port_stands_behind_it(host: str, tmp_path: Path) -> None:
    text = f'default = "p"\n[profiles.p]\nengine = "postgresql"\nhost = "{host}"\n'
    (tmp_path / "dbtool.toml").write_text(text)
    done = run_inside("query", "select 1", cwd=tmp_path)
    assert done.status == 2
    assert "needs trust: 'p' of" in done.err


@pytest.mark.parametrize(
    "settings",
    [
        {"default_transaction_read_only": "off"},
        {"transaction_read_only": "off"},
        {"default_transaction_read_only": "off", "transaction_read_only": "off"},
        {"session_replication_role": "replica"},
        {"standard_conforming_strings": "off"},
        {"work_mem": "64kB' -c default_transaction_read_only=off"},
        {"search_path_x.y": "a -c transaction_read_only=off"},
    ],
)
def test_no_setting_of_a_session_lifts_the_guard_of_postgresql(
    settings: dict[str, str], postgres_database: DatabaseAddress, tmp_path: Path
) -> None:
    table = ", ".join(f'{name} = "{value}"' for name, value in settings.items())
    (tmp_path / "p.toml").write_text(
        f'[profiles.p]\nurl = "{postgres_database.url}"\nprotected = true\nsession = {{ {table} }}\n'
    )
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "create table gone (a int)")
    assert done.status in {2, 6}
    look = run_inside("query", "-p", postgres_database.url, "select to_regclass('gone')", "-F", "csv", "--no-header")
    assert look.text == "\n"


@pytest.mark.parametrize("mode", ["transaction_read_only", "tx_read_only"])
def test_no_setting_of_a_session_lifts_the_guard_of_mariadb(
    mode: str, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(
        f'[profiles.p]\nurl = "{mariadb_database.url}"\nread_only = true\nsession = {{ {mode} = "0" }}\n'
    )
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "create table gone (a int)")
    assert done.status in {2, 6}
    assert run_inside("query", "-p", mariadb_database.url, "show tables like 'gone'", "-F", "value").text == ""


@pytest.mark.parametrize("name", ["a b", "a=b", "a', x", "", "a;b", "a -c b", "x.y.z", "client_encoding", "names"])
def test_a_settings_name_is_a_name_and_none_that_dbtool_has_to_know_of(name: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f'[profiles.p]\nengine = "postgresql"\n[profiles.p.session]\n"{name}" = "x"\n')
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select 1")
    assert done.status == 2
    assert "session: " in done.err


def test_a_setting_whose_name_says_that_it_is_secret_is_masked(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[profiles.p]\nengine = "postgresql"\nsession = { "app.secret_key" = "hush", work_mem = "1MB" }\n'
        'libpq = { sslpassword = "hush", keepalives = "1" }\n'
    )
    done = run_inside("profile", "show", "p", "--config", tmp_path / "p.toml")
    assert "hush" not in done.text
    assert "work_mem=1MB" in done.text
    assert "keepalives=1" in done.text


def test_a_file_that_a_trusted_option_file_includes_asks_for_trust_again_when_it_changes(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    (project / "more").mkdir(parents=True)
    home.mkdir()
    (project / "dbtool.toml").write_text('[profiles.p]\nengine = "mysql"\noption_file = "my.cnf"\n')
    (project / "my.cnf").write_text("[client]\nhost=127.0.0.1\nport=1\n!include more/one.cnf\n")
    (project / "more" / "one.cnf").write_text("[client]\nuser=app\n")
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
    assert run_inside("profile", "trust", "--yes", cwd=project, environment=own).status == 0
    assert run_inside("query", "-p", "p", "select 1", cwd=project, environment=own).status == 3
    (project / "more" / "one.cnf").write_text("[client]\ninit-command=drop table orders\n")
    changed = run_inside("query", "-p", "p", "select 1", cwd=project, environment=own)
    assert changed.status == 2
    assert "needs trust" in changed.err


def test_option_files_that_include_themselves_end(tmp_path: Path) -> None:
    (tmp_path / "my.cnf").write_text("!include my.cnf\n!includedir .\n" * 50)
    (tmp_path / "p.toml").write_text('[profiles.p]\nengine = "mysql"\noption_file = "my.cnf"\n')
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select 1")
    assert done.status == 2
    assert "include one another" in done.err


def test_an_option_files_command_does_not_lift_the_guard_of_mariadb(
    mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / "my.cnf").write_text('[client]\ninit-command="create table gone (a int)"\n')
    (tmp_path / "p.toml").write_text(
        f'[profiles.p]\nurl = "{mariadb_database.url}"\noption_file = "my.cnf"\nread_only = true\n'
    )
    done = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select 1")
    assert done.status in {2, 6}
    assert run_inside("query", "-p", mariadb_database.url, "show tables like 'gone'", "-F", "value").text == ""
