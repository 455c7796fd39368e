"""libpq's service files."""

from __future__ import annotations

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles.foreign.service import read_service
from tests.profiles.world import World


def test_an_entry_becomes_profile_keys(world: World) -> None:
    world.write(
        world.home / ".pg_service.conf",
        """
        # comment
        [other]
        host=elsewhere

        [shop]
          host = db.example.com
        port=5433
        dbname=shop
        user=app
        password=hu=sh
        sslmode=verify-full
        sslrootcert=/ca.pem
        connect_timeout=3
        passfile=/pass
        target_session_attrs=read-write
        [shop]
        host=second
        """,
    )
    assert read_service("shop", world.environment) == {
        "host": "db.example.com",
        "port": "5433",
        "database": "shop",
        "user": "app",
        "password": "hu=sh",
        "tls": "verify-full",
        "tls_ca": "/ca.pem",
        "connect_timeout": "3",
        "passfile": "/pass",
        "target_session_attrs": "read-write",
    }


def test_a_host_that_is_a_path_is_a_socket(world: World) -> None:
    world.write(world.home / ".pg_service.conf", "[s]\nhost=/run/pg\n")
    assert read_service("s", world.environment) == {"socket": "/run/pg"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ssl_mode=require", r"conf:2: 'ssl_mode' is not a setting that dbtool knows here; did you mean sslmode\?"),
        ("options=-c hush", "options: holds more than settings"),
        ("sslmode=allow", "allow is no level"),
        ("ldap://x", "conf:2: is no key=value"),
    ],
)
def test_what_dbtool_cannot_keep_is_an_error_and_not_dropped(world: World, line: str, message: str) -> None:
    world.write(world.home / ".pg_service.conf", f"[s]\n{line}\n")
    with pytest.raises(ProfileError, match=message) as caught:
        read_service("s", world.environment)
    assert "hush" not in str(caught.value)


def test_an_unknown_entry_is_an_error_with_the_nearest(world: World) -> None:
    world.write(world.home / ".pg_service.conf", "[shop]\n")
    with pytest.raises(ProfileError, match=r"'shp': is not in .*pg_service\.conf; did you mean shop"):
        read_service("shp", world.environment)


def test_a_missing_file_is_an_error_that_names_it(world: World) -> None:
    with pytest.raises(ProfileError, match=rf"there is no {world.home}/\.pg_service\.conf"):
        read_service("s", world.environment)


def test_a_file_that_is_no_text_is_an_error(world: World) -> None:
    (world.home / ".pg_service.conf").write_bytes(b"[s]\nhost=hush\xff\n")
    with pytest.raises(ProfileError, match="is not UTF-8 text") as caught:
        read_service("s", world.environment)
    assert "hush" not in repr(caught.value.__cause__)


def test_the_variable_names_the_file_and_the_systems_comes_last(world: World) -> None:
    world.write(world.home / ".pg_service.conf", "[s]\nhost=home\n")
    world.write(world.root / "named", "[s]\nhost=named\n")
    world.write(world.root / "etc" / "pg_service.conf", "[s]\nhost=system\n[t]\nhost=t\n")
    world.variables["PGSYSCONFDIR"] = str(world.root / "etc")
    assert read_service("s", world.environment)["host"] == "home"
    assert read_service("t", world.environment)["host"] == "t"
    world.variables["PGSERVICEFILE"] = str(world.root / "named")
    assert read_service("s", world.environment)["host"] == "named"


def test_the_systems_authorities_are_what_a_profile_trusts_without_a_file(world: World) -> None:
    world.write(
        world.home / ".pg_service.conf",
        """
        [shop]
        host=h
        sslrootcert=system
        [weak]
        sslrootcert=system
        sslmode=require
        """,
    )
    assert read_service("shop", world.environment) == {"host": "h", "tls": "verify-full"}
    with pytest.raises(ProfileError, match=r"pg_service.conf: sslrootcert=system is for sslmode=verify-full alone"):
        read_service("weak", world.environment)
