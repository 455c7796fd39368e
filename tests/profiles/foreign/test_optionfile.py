"""MySQL's option files."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles.foreign.optionfile import read_option_file


def _read(tmp_path: Path, text: str, engine: str = "mysql") -> dict[str, str]:
    path = tmp_path / "my.cnf"
    path.write_text(dedent(text))
    return read_option_file(path, engine).values


def test_the_client_group_becomes_profile_keys(tmp_path: Path) -> None:
    text = """
        # comment
        ; comment
        [mysqld]
        port = 1
        datadir = /x
        [client]
        host = db.example.com   # comment
        PORT = 3307
        user=app
        password = "hu#sh;\\"x' "
        socket = '/run/my sql.sock'  # comment, and not used beside a host elsewhere
        database = a\\sb\\\\c
        ssl_mode = VERIFY_CA
        loose-ssl-ca = /ca.pem
        connect_timeout = 3
        default-character-set = latin1
        user = second
    """
    assert _read(tmp_path, text) == {
        "host": "db.example.com",
        "port": "3307",
        "user": "second",
        "password": "hu#sh;\"x' ",
        "database": "a b\\c",
        "tls": "verify-ca",
        "tls_ca": "/ca.pem",
        "connect_timeout": "3",
        "encoding": "latin1",
    }


def test_each_engine_reads_the_groups_of_its_client(tmp_path: Path) -> None:
    text = (
        "[client]\nuser = a\n[mysql]\nuser = b\n[client-mariadb]\nuser = c\n[mysqld]\nuser = d\n[mariadb]\nuser = e\n"
    )
    assert _read(tmp_path, text) == {"user": "b"}
    assert _read(tmp_path, text, "mariadb") == {"user": "c"}


def test_groups_with_a_suffix_are_read_as_well_where_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "my.cnf"
    path.write_text("[client]\nuser = a\npassword = p\n[clientprod]\nuser = b\n[clientdev]\nuser = c\n")
    assert read_option_file(path, "mysql", "prod").values == {"user": "b", "password": "p"}


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ("ssl", "require"),
        ("ssl-verify-server-cert\nssl", "verify-full"),
        ("ssl\nssl_verify_server_cert = 1", "verify-full"),
        ("skip-ssl", "disable"),
    ],
)
def test_flags_say_which_tls_level_is_meant(tmp_path: Path, lines: str, level: str) -> None:
    assert _read(tmp_path, f"[client]\n{lines}\n") == {"tls": level}


def test_a_password_without_a_value_says_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path, "[client]\npassword\n") == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!include /no/such", r"option_file /no/such: cannot be read"),
        ("!includedir /no/such", r"my\.cnf:2: !includedir /no/such: No such file"),
        ("!inlcude x", r"my\.cnf:2: !inlcude is no !include"),
        ("pasword = hush", r"my\.cnf:2: 'pasword' is not a setting that dbtool knows here; did you mean password"),
        ("ssl-crl = x", "ssl-crl: dbtool asks no list of withdrawn certificates"),
        ("protocol = memory", "protocol: dbtool connects by tcp or socket"),
        ("ssl = maybe", "'ssl' is on or off"),
        ("host", "'host' has no value"),
        ("init-command", "'init-command' has no value"),
    ],
)
def test_what_dbtool_cannot_keep_is_an_error_and_not_dropped(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        _read(tmp_path, f"[client]\n{line}\n")
    assert "hush" not in str(caught.value)


def test_what_the_client_programs_know_and_dbtool_does_not_need_is_passed_over_and_kept_count_of(
    tmp_path: Path,
) -> None:
    path = tmp_path / "my.cnf"
    path.write_text(
        "[client]\nmax_allowed_packet = 64M\ncompress\nskip-auto-rehash\nno-beep\nplugin-dir=/x\ndefault-auth=y\n"
        "reconnect = 1\nloose-nonsense = 1\nloose-port = 7\nmaximum-max-join-size=5\nlocal-infile\ncompress\n"
    )
    said = read_option_file(path, "mysql")
    assert said.values == {"port": "7"}
    assert said.passed_over == (
        *("max-allowed-packet", "compress", "skip-auto-rehash", "no-beep", "plugin-dir", "default-auth", "reconnect"),
        *("nonsense", "maximum-max-join-size", "local-infile"),
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("host=db\nsocket=/s", {"host": "db"}),
        ("host=localhost\nsocket=/s\nport=7", {"socket": "/s"}),
        ("socket=/s", {"socket": "/s"}),
        ("host=localhost", {"host": "localhost"}),
        ("host=localhost\nsocket=/s\nport=7\nprotocol=TCP", {"host": "localhost", "port": "7"}),
        ("host=db\nsocket=/s\nprotocol=socket", {"host": "db"}),
        ("host=localhost\nsocket=/s\nprotocol=socket", {"socket": "/s"}),
        ("port=0", {}),
        ("ssl=0", {"tls": "disable"}),
        ("disable-ssl", {"tls": "disable"}),
        ("ssl-verify-server-cert=0\nssl=1", {"tls": "require"}),
        ("init-command='set autocommit=1'", {"on_connect": ("set autocommit=1",)}),
    ],
)
def test_options_mean_together_what_they_mean_to_the_client(
    tmp_path: Path, lines: str, expected: dict[str, object]
) -> None:
    assert _read(tmp_path, f"[client]\n{lines}\n") == expected


def test_files_are_included_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.cnf").write_text("[client]\nuser = b\n")
    (tmp_path / "conf.d" / "a.cnf").write_text("[client]\nuser = a\nhost = h\n")
    (tmp_path / "conf.d" / "c.txt").write_text("[client]\nuser = c\n")
    (tmp_path / "one.cnf").write_text("[mysqld]\nport = 1\n[client]\nport = 2\n")
    text = "[client]\nuser = first\n!includedir conf.d\n!include one.cnf\ndatabase = d\n"
    assert _read(tmp_path, text) == {"user": "b", "host": "h", "port": "2", "database": "d"}


def test_files_that_include_one_another_end_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="include one another"):
        _read(tmp_path, "!include my.cnf\n" * 3)


def test_a_file_that_is_missing_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read: No such file"):
        read_option_file(tmp_path / "none", "mysql")
    (tmp_path / "mylogin.cnf").write_bytes(b"\xff\x00")
    with pytest.raises(ProfileError, match="is not UTF-8 text"):
        read_option_file(tmp_path / "mylogin.cnf", "mysql")
