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
    return read_option_file(path, engine)


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
        socket = '/run/my sql.sock'  # comment
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
        "socket": "/run/my sql.sock",
        "database": "a b\\c",
        "tls": "verify-ca",
        "tls_ca": "/ca.pem",
        "connect_timeout": "3",
        "encoding": "latin1",
    }


def test_mariadb_reads_its_own_groups_as_well(tmp_path: Path) -> None:
    text = "[client]\nuser = a\n[client-mariadb]\nuser = b\n[mysql]\nuser = c\n"
    assert _read(tmp_path, text) == {"user": "a"}
    assert _read(tmp_path, text, "mariadb") == {"user": "b"}


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
        ("!include /etc/my.cnf", r"my\.cnf:2: !include is not followed"),
        ("!includedir /etc", "!includedir is not followed"),
        ("pasword = hush", r"my\.cnf:2: 'pasword' is not a setting that dbtool knows here; did you mean password"),
        ("ssl-cipher = x", "'ssl-cipher' is not a setting"),
        ("host", "'host' has no value"),
    ],
)
def test_what_dbtool_cannot_keep_is_an_error_and_not_dropped(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        _read(tmp_path, f"[client]\n{line}\n")
    assert "hush" not in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read: No such file"):
        read_option_file(tmp_path / "none", "mysql")
    (tmp_path / "mylogin.cnf").write_bytes(b"\xff\x00")
    with pytest.raises(ProfileError, match="is not UTF-8 text"):
        read_option_file(tmp_path / "mylogin.cnf", "mysql")
