"""MySQL's option files, read as mariadb reads them: the same server, the same session."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.profile_shell import Shell
from tests.cli.running import run_inside
from tests.native import run_mariadb
from tests.servers.mariadb import MariaDbServer

STATE = (
    "select current_user(), database(), @@port, @@character_set_client, @@lc_time_names, @@time_zone,"
    " (select variable_value > 0 from {status} where variable_name = 'Ssl_cipher')"
)


@pytest.fixture
def user(mariadb: MariaDbServer) -> Iterator[str]:
    """A user with a password."""
    mariadb.create_user("filed", password="s3#c'ret")
    yield "filed"
    mariadb.execute("DROP USER filed")


_ON_MYSQL = {
    **dict.fromkeys(("skip-ssl", "skip_ssl", "ssl=0"), "ssl-mode=DISABLED"),
    "[client-mariadb]": "[mysql]",
    "[client-server]": "[client]",
}
"""MySQL has given the option up; the other server's groups it does not read."""


def write(path: Path, server: MariaDbServer, lines: str) -> Path:
    if server.title == "MySQL":
        for word, its_own in _ON_MYSQL.items():
            lines = lines.replace(word, its_own)
    path.write_text(lines.format(host=server.host, port=server.port, socket=server.socket, directory=path.parent))
    return path


def write_profile(directory: Path, server: MariaDbServer) -> None:
    text = f'[profiles.p]\nengine = "{server.title.lower()}"\noption_file = "my.cnf"\n'
    (directory / "p.toml").write_text(text)


PASSWORD = 'password = "s3#c\'ret"'
PLACE = "[client]\nhost={host}\nport={port}\nuser=filed\nskip-ssl\n" + PASSWORD + "\n"
SOCKET = "socket={socket}\nuser=filed\n" + PASSWORD + "\n"
FILES = {
    "plain": PLACE,
    "groups": "[client]\nuser=nobody\nhost={host}\n[mysqld]\nport=1\n[client-mariadb]\nuser=filed\nskip_ssl\n[mysql]\n"
    + PASSWORD
    + "\n[client-server]\nport={port}\n[mariadb]\nuser=other\n[mysqldump]\nuser=other\n",
    "order": "[mysql]\nuser=nobody\nport=1\nssl=0\n" + PLACE,
    "socket": "[client]\nport=1\n" + SOCKET,
    "localhost": "[client]\nhost=localhost\nport=1\n" + SOCKET,
    "elsewhere": PLACE + "socket=/no/such\n",
    "tcp": PLACE + "socket=/no/such\nprotocol=tcp\n[mysql]\nhost=localhost\n",
    "by-socket": "[client]\nhost=localhost\nprotocol=socket\n" + SOCKET,
    "commands": PLACE
    + "default-character-set=latin1\n[mysql]\ndatabase=information_schema\n"
    + "init-command=\"set time_zone='+03:00', lc_time_names = 'de_DE'\"\n",
    "passed over": PLACE
    + "max_allowed_packet=64M\ncompress\nloose-nonsense=1\nplugin-dir=/x\n[mysql]\nno-beep\nreconnect\n",
    "included": "!include {directory}/one.cnf\n!includedir {directory}/more\n[client]\nskip-ssl\n" + PASSWORD + "\n",
}


@pytest.mark.parametrize("name", FILES)
def test_an_option_file_leads_where_mariadb_goes(name: str, mariadb: MariaDbServer, user: str, tmp_path: Path) -> None:
    assert user == "filed"
    (tmp_path / "more").mkdir()
    write(tmp_path / "one.cnf", mariadb, "[client]\nuser=filed\nhost=nowhere\n")
    write(tmp_path / "more" / "two.cnf", mariadb, "[client]\nhost={host}\nport={port}\n")
    file = write(tmp_path / "my.cnf", mariadb, FILES[name])
    asked = STATE.format(status=mariadb.status_table)
    native = run_mariadb(mariadb, None, asked.encode(), defaults=file)
    write_profile(tmp_path, mariadb)
    done = run_inside(
        "query", "--config", tmp_path / "p.toml", "-p", "p", asked, "-F", "tsv", "--no-header", "--null", "NULL"
    )
    assert done.status == 0, done.err
    own = done.out.replace(b"utf8mb4\t", b"-\t")
    # The client takes its character set from the locale unless it is said.
    assert own == native.replace(b"utf8mb3\t", b"-\t").replace(b"utf8mb4\t", b"-\t")


def test_the_client_sees_the_same_options_in_a_file(mariadb: MariaDbServer, tmp_path: Path) -> None:
    from dbtool.profiles.foreign.optionfile import list_groups, read_options  # noqa: PLC0415

    text = (
        "[client]\nhost = \"a # b\"  # comment\nuser=x\\sy\\\\z\n database = 'it\\'s'\nloose-foo_bar = 1\n# no\n; no\n"
        "[nothing]\nport = 1\n[mysql]\nno-beep\nport=  7  # seven\n[client-mariadb]\nport=8\n[mariadb]\nport=9\n"
        "[CLIENT]\nport=10\n[mariadb-client]\nport=11\n[client_mariadb]\nport=12\n[mariadbd]\nport=13\n"
    )
    (tmp_path / "my.cnf").write_text(text)
    printed = subprocess.run(
        [mariadb.binaries[mariadb.client], f"--defaults-file={tmp_path / 'my.cnf'}", "--print-defaults"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    native = printed.splitlines()[-1].split(" --")
    options = [
        option for option in read_options(tmp_path / "my.cnf") if option.group in list_groups(mariadb.title.lower())
    ]
    spelled = [
        ("loose-" if option.is_loose else "") + option.name + ("" if option.value is None else f"={option.value}")
        for option in options
    ]
    assert [part.replace("_", "-").lower() for part in spelled] == [
        part.removeprefix("--").strip().replace("_", "-").lower() for part in native if part.strip()
    ]


def test_what_was_passed_over_is_told_by_the_check_alone(mariadb: MariaDbServer, user: str, tmp_path: Path) -> None:
    assert user
    write(tmp_path / "my.cnf", mariadb, FILES["passed over"])
    write_profile(tmp_path, mariadb)
    asked = run_inside("query", "--config", tmp_path / "p.toml", "-p", "p", "select 1")
    assert (asked.status, asked.err) == (0, "")
    checked = run_inside("profile", "check", "p", "--config", tmp_path / "p.toml")
    assert checked.status == 0
    assert (
        "passed over in my.cnf: max-allowed-packet, compress, nonsense, plugin-dir, no-beep, reconnect" in checked.err
    )


def test_an_imported_option_file_works_at_once(mariadb: MariaDbServer, user: str, tmp_path: Path) -> None:
    assert user
    shell = Shell(home=tmp_path)
    write(tmp_path / ".my.cnf", mariadb, PLACE + "[clientother]\nuser=root\npassword=\n")
    done = shell.run("profile", "import", "mycnf", "-F", "csv")
    assert done.status == 0, done.err
    assert "ret" not in shell.file.read_text().replace("secret", "")
    assert "says it when a connection opens" in done.text
    for name, expected in (("mysql", "filed"), ("other", "root")):
        found = shell.run("query", "-p", name, "select substring_index(current_user(), '@', 1)", "-F", "value")
        assert (found.status, found.text) == (0, f"{expected}\n"), found.err
