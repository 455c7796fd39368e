"""A stranger's profile does not reach a Unix socket of this machine, however it is spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from tests.profiles.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(root=tmp_path)


HIDDEN = (
    "/run/x",
    "::1,/run/x",
    "/run/x,::1",
    "a,b,/run/x,c",
    "::1, /run/x",
    "@name",
    "::1,@name",
    "::1,",
    ",::1",
    ",",
    "a,,b",
)
"""Each is, or holds, what libpq takes for a socket: an empty name stands for its own directory."""


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("host", HIDDEN)
def test_a_socket_in_a_list_of_hosts(world: World, host: str, trusted: bool) -> None:
    world.write_project(f'[profiles.x]\nengine = "postgresql"\nhost = "{host}"\n')
    if trusted:
        world.trust()
    with pytest.raises(ProfileError, match=r"dbtool\.toml:3: profile 'x': host: "):
        world.resolve("x")


@pytest.mark.parametrize("host", [host for host in HIDDEN if "@" not in host])
def test_a_socket_among_the_hosts_of_a_url(world: World, host: str) -> None:
    encoded = host.replace("/", "%2F").replace(":", "%3A").replace(" ", "%20")
    world.write_project(f'[profiles.x]\nurl = "postgresql://u@{encoded}/d"\n')
    with pytest.raises(ProfileError, match=r"profile 'x': url: (host|socket: needs trust|needs trust)"):
        world.resolve("x")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@h/d?host=a,/run/x",
        "postgresql://u@/d?host=a%2C%2Frun%2Fx",
        "postgresql://u@/d?hostaddr=127.0.0.1,/run/x",
        "postgresql://u@a%2C%2Frun%2Fx/d",
        "postgresql://u@/d?host=%40name",
        "postgresql://u@/d?socket=%40name",
        "mysql://u@/d?unix_socket=%40name",
        "mysql://u@/d?socket=%40name",
        "mysql://u@/d?socket=%2Frun%2Fx",
    ],
)
def test_a_socket_that_a_url_escapes_or_says_as_a_parameter(world: World, url: str) -> None:
    world.write_project(f'[profiles.x]\nurl = "{url}"\n')
    with pytest.raises(ProfileError, match=r"profile 'x': url: "):
        world.resolve("x")


@pytest.mark.parametrize("socket", ["sub,/run/x", "sub,..", ",", "./@name,/run/x"])
def test_a_second_socket_behind_a_comma(world: World, socket: str) -> None:
    world.write_project(f'[profiles.x]\nengine = "postgresql"\nsocket = "{socket}"\n')
    with pytest.raises(ProfileError, match="socket: has a comma"):
        world.resolve("x")


def test_a_directory_whose_name_ends_with_a_comma_before_the_socket(world: World) -> None:
    world.project = world.working_directory = world.project / "sub,"
    world.write_project('[profiles.x]\nengine = "postgresql"\nsocket = "run/x"\n')
    with pytest.raises(ProfileError, match="socket: has a comma"):
        world.resolve("x")


@pytest.mark.parametrize("host", ["[::1]", "localhost,[::1]", "[evil.example]"])
def test_an_address_in_brackets_is_taken_for_this_machine(world: World, host: str) -> None:
    world.write_user(f'[profiles.x]\nengine = "postgresql"\nhost = "{host}"\n')
    with pytest.raises(ProfileError, match="host: has brackets, which belong to a URL: write an address of IPv6"):
        world.get("x")


@pytest.mark.parametrize(
    "host", ["localhost ", " localhost", "localhost, ::1 ", "a b, ::1", "localhost\\t", "local\\u00a0host"]
)
def test_a_blank_makes_another_name_of_this_machines(world: World, host: str) -> None:
    world.write_user(f'[profiles.x]\nengine = "postgresql"\nhost = "{host}"\n')
    with pytest.raises(ProfileError, match="host: holds white space"):
        world.get("x")


def test_an_abstract_socket(world: World) -> None:
    world.write_project('[profiles.x]\nengine = "mysql"\nsocket = "@name"\n')
    with pytest.raises(ProfileError, match="socket: is an abstract socket"):
        world.resolve("x")


@pytest.mark.parametrize("host", [*HIDDEN, ""])
def test_a_socket_that_a_variable_brings_among_hosts(world: World, host: str) -> None:
    world.write_user("""
        [profiles.x]
        engine = "postgresql"
        host = "${PLACE}"
        tls = "verify-full"
    """)
    world.variables["PLACE"] = host
    with pytest.raises(ProfileError, match="profile 'x': host: "):
        world.resolve("x")


def test_a_socket_among_the_hosts_of_a_service(world: World) -> None:
    world.write(world.home / ".pg_service.conf", "[s]\nhost=db.example.com,/tmp/x\n")
    world.write_user('[profiles.x]\nengine = "postgresql"\nservice = "s"\n')
    with pytest.raises(ProfileError, match="profile 'x': host: holds a socket beside hosts"):
        world.resolve("x")


@pytest.mark.parametrize("host", ["db.example.com", "::1", "a,b", "127.0.0.1, ::1", "a.example.com,10.0.0.1,::1"])
def test_hosts_that_are_hosts_pass(world: World, host: str) -> None:
    world.write_project(f'[profiles.x]\nengine = "postgresql"\nhost = "{host}"\n')
    assert world.resolve("x").host == host


def test_a_socket_inside_the_project_passes_as_ever(world: World) -> None:
    world.write_project('[profiles.x]\nengine = "postgresql"\nsocket = "run"\n')
    assert world.resolve("x").socket == str(world.project / "run")
