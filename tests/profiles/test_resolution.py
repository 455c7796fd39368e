"""From a profile as written to what an engine opens."""

from __future__ import annotations

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles import resolve
from dbtool.profiles.model import Origin, Profile, Scope, TlsLevel
from tests.profiles.world import World


def test_what_a_server_profile_leaves_open_is_said_explicitly(world: World) -> None:
    world.write_user('[profiles.p]\nengine = "postgresql"\n[profiles.m]\nengine = "mariadb"\n')
    p, m = world.resolve("p"), world.resolve("m")
    assert (p.host, p.port, p.user, p.database) == ("127.0.0.1", 5432, "ann", "ann")
    assert (p.password, p.passfile) == (None, str(world.home / ".pgpass"))
    assert (m.host, m.port, m.user, m.database) == ("127.0.0.1", 3306, "ann", None)
    assert (m.password, m.passfile) == (None, None)


@pytest.mark.parametrize(
    ("host", "hosts", "port"),
    [
        ("${H}", "h", 5432),
        ("${NONE:-localhost}", "localhost", 5432),
        ("${NONE:-localhost}:5433", "localhost", 5433),
        ("${NONE:-a:1},${H}:2", "a,h", 1),
    ],
)
def test_a_host_may_be_a_variable_with_a_default(world: World, host: str, hosts: str, port: int) -> None:
    world.variables["H"] = "h"
    world.write_user(f'[profiles.p]\nengine = "postgresql"\nhost = "{host}"\n')
    p = world.resolve("p")
    assert (p.host, p.port) == (hosts, port)


@pytest.mark.parametrize("said", ["", "/run", "h:0", "h:x", "a,,b", "a b"])
def test_a_variable_s_host_is_checked_once_it_is_known(world: World, said: str) -> None:
    world.variables["H"] = said
    world.write_user('[profiles.p]\nengine = "postgresql"\nhost = "${H}"\n')
    with pytest.raises(ProfileError, match="'p': host: "):
        world.resolve("p")


def test_a_socket_needs_no_host_and_is_relative_to_the_file(world: World) -> None:
    world.write_user('[profiles.p]\nengine = "postgresql"\nsocket = "run"\n')
    p = world.resolve("p")
    assert (p.host, p.socket, p.port) == (None, str(world.config / "run"), 5432)


@pytest.mark.parametrize(
    ("variables", "user"), [({"USER": "b"}, "b"), ({"LOGNAME": "c", "USER": "b"}, "c"), ({"USERNAME": "d"}, "d")]
)
def test_the_user_is_the_one_who_is_logged_in(world: World, variables: dict[str, str], user: str) -> None:
    world.variables = variables
    world.write_user('[profiles.m]\nengine = "mysql"\n')
    assert world.resolve("m").user == user


def test_without_variables_the_operating_system_knows_the_user(world: World) -> None:
    world.variables = {}
    world.write_user('[profiles.m]\nengine = "mysql"\n')
    assert world.resolve("m").user


@pytest.mark.parametrize("name", ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGSSLMODE", "MYSQL_PWD"])
def test_no_other_variable_of_a_client_library_speaks(world: World, name: str) -> None:
    world.write_user('[profiles.p]\nengine = "postgresql"\n[profiles.m]\nengine = "mysql"\n')
    before = world.resolve("p"), world.resolve("m")
    world.variables[name] = "3"
    assert (world.resolve("p"), world.resolve("m")) == before


def test_two_variables_of_libpq_fill_what_is_left_open(world: World) -> None:
    world.write_user('[profiles.p]\nengine = "postgresql"\n[profiles.q]\nengine = "postgresql"\npassword = "own"\n')
    world.write(world.config / "profiles.d" / "m.toml", '[profiles.m]\nengine = "mysql"\n')
    world.variables |= {"PGPASSWORD": "hush", "PGPASSFILE": "pass"}
    p = world.resolve("p")
    assert (p.password, p.passfile) == ("hush", str(world.project / "pass"))
    assert world.resolve("q").password == "own"
    assert world.resolve("m").password is None


def test_an_empty_password_of_ones_own_is_not_filled(world: World) -> None:
    world.write_user('[profiles.p]\nengine = "postgresql"\npassword = ""\n')
    world.variables["PGPASSWORD"] = "hush"
    assert world.resolve("p").password == ""


def test_paths_start_at_the_file_that_wrote_them(world: World) -> None:
    world.write_user("""
        [profiles]
        a = { engine = "sqlite", path = "demo.db" }
        b = { engine = "sqlite", path = "/srv/demo.db" }
        c = { engine = "sqlite", path = "~/demo.db" }
        d = { engine = "sqlite", path = ":memory:" }
        e = { engine = "sqlite", path = "${WHERE}/demo.db" }
        f = { url = "sqlite:///demo.db" }
        g = { engine = "mysql", tls_ca = "ca.pem", tls_cert = "c.pem", tls_key = "k.pem" }
    """)
    world.variables["WHERE"] = "/var"
    paths = [world.resolve(name).path for name in "abcdef"]
    here = str(world.config / "demo.db")
    assert paths == [here, "/srv/demo.db", str(world.home / "demo.db"), ":memory:", "/var/demo.db", here]
    g = world.resolve("g")
    assert (g.tls_ca, g.tls_cert, g.tls_key) == tuple(str(world.config / f"{name}.pem") for name in ("ca", "c", "k"))


def test_a_sqlite_target_has_nothing_of_a_server(world: World) -> None:
    world.write_user('[profiles.a]\nengine = "sqlite"\npath = "a.db"\ncreate = true\nbusy_timeout = "1s"\n')
    world.variables["PGPASSWORD"] = "hush"
    a = world.resolve("a")
    assert (a.host, a.port, a.user, a.password, a.passfile) == (None, None, None, None, None)
    assert (a.create, a.busy_timeout) == (True, 1.0)


@pytest.mark.parametrize("argument", ["demo.db", "./demo.db", "sqlite:///demo.db"])
def test_a_path_in_an_argument_starts_at_the_working_directory(world: World, argument: str) -> None:
    target = resolve(world.choose(argument).profile, world.environment)
    assert target.path == str(world.project / "demo.db")


def test_nothing_in_an_argument_is_a_reference(world: World) -> None:
    world.variables["X"] = "no"
    profile = world.choose("postgresql://u:a${X}b@h/${X}").profile
    target = resolve(profile, world.environment)
    assert (target.password, target.database) == ("a${X}b", "${X}")


def test_references_are_resolved_in_every_text(world: World) -> None:
    world.write_user("""
        [profiles.x]
        engine = "postgresql"
        host = "${H}"
        user = "${U:-app}"
        database = "d${H}"
        on_connect = ["SET x = '${H}'"]
    """)
    world.variables["H"] = "h"
    x = world.resolve("x")
    assert (x.host, x.user, x.database, x.on_connect) == ("h", "app", "dh", ("SET x = 'h'",))


def test_a_variable_that_is_not_set_is_an_error_with_its_place(world: World) -> None:
    world.write(world.config / "profiles.toml", '\n[profiles.x]\nengine = "mysql"\nhost = "${H}"\n')
    with pytest.raises(ProfileError, match=r"profiles\.toml:2: profile 'x': host: the variable H is not set"):
        world.resolve("x")


def test_a_url_of_references_is_cut_up_before_they_are_resolved(world: World) -> None:
    world.write_user('[profiles.x]\nurl = "postgresql://${U}:${PW}@${H}:${PORT}/${D}"\n')
    world.variables |= {"U": "u", "PW": "a/b@c:d?e", "H": "h", "PORT": "99", "D": "d/e"}
    x = world.resolve("x")
    assert (x.user, x.password, x.host, x.port, x.database) == ("u", "a/b@c:d?e", "h", 99, "d/e")


def test_a_url_from_a_variable_is_read_like_a_literal_one_over_what_is_inherited(world: World) -> None:
    world.write_user("""
        [profiles.base]
        engine = "postgresql"
        user = "app"
        database = "base"
        password = "base"
        [profiles.x]
        extends = "base"
        url = "${DATABASE_URL}"
    """)
    world.variables["DATABASE_URL"] = "postgresql://:p%40${X}@h:1/d?sslmode=require&connect_timeout=2"
    x = world.resolve("x")
    assert (x.user, x.password, x.host, x.port, x.database) == ("app", "p@${X}", "h", 1, "d")
    assert (x.tls, x.connect_timeout) == (TlsLevel.REQUIRE, 2.0)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:hush@h", "url: is not a URL of postgresql"),
        ("postgresql://u:hush@h:0/d", "port: is 0|is 0, and must be at least 1"),
        ("postgresql://u:hush/@h", "url: the URL has an @ or a / too many"),
        ("postgresql://u:hush@h?sslmode=x", "'x' is not one of"),
        ("hush", "url: is no URL"),
    ],
)
def test_a_url_from_a_variable_that_cannot_be_used_is_an_error(world: World, url: str, message: str) -> None:
    world.write_user('[profiles.x]\nengine = "postgresql"\nurl = "${URL}"\n')
    world.variables["URL"] = url
    with pytest.raises(ProfileError, match=message) as caught:
        world.resolve("x")
    assert "hush" not in str(caught.value)


def test_a_port_from_a_variable_has_to_be_one(world: World) -> None:
    world.write_user('[profiles.x]\nurl = "mysql://h:${PORT}/d"\n')
    for port in ("x", "0", "70000"):
        world.variables["PORT"] = port
        with pytest.raises(ProfileError, match="url: "):
            world.resolve("x")


SERVICE = "[s]\nhost=s\nport=1\nuser=su\ndbname=sd\npassword=sp\nsslmode=verify-full\nconnect_timeout=2\npassfile=/sp\n"


def test_a_service_fills_what_the_profile_leaves_open(world: World) -> None:
    world.write(world.home / ".pg_service.conf", SERVICE)
    world.write_user('[profiles.x]\nengine = "postgresql"\nservice = "s"\n')
    world.variables["PGPASSWORD"] = "hush"
    x = world.resolve("x")
    assert (x.host, x.port, x.user, x.database, x.password) == ("s", 1, "su", "sd", "sp")
    assert (x.tls, x.connect_timeout, x.passfile) == (TlsLevel.VERIFY_FULL, 2.0, "/sp")


def test_a_profiles_own_keys_beat_its_service(world: World) -> None:
    world.write(world.home / ".pg_service.conf", SERVICE)
    world.write_user("""
        [profiles.x]
        engine = "postgresql"
        service = "${S}"
        socket = "/run"
        port = 9
        user = "me"
        database = "mine"
        password = { env = "PW" }
        tls = "prefer"
        connect_timeout = "10s"
    """)
    world.variables |= {"S": "s", "PW": "own"}
    x = world.resolve("x")
    assert (x.host, x.socket, x.port, x.user, x.database, x.password) == (None, "/run", 9, "me", "mine", "own")
    assert (x.tls, x.connect_timeout) == (TlsLevel.PREFER, 10.0)


def test_a_services_wrong_value_is_refused(world: World) -> None:
    world.write(world.home / ".pg_service.conf", "[s]\nport=x\n")
    world.write_user('[profiles.x]\nengine = "postgresql"\nservice = "s"\n')
    with pytest.raises(ProfileError, match="port: the port is not a number"):
        world.resolve("x")


def test_an_option_file_fills_what_the_profile_leaves_open(world: World) -> None:
    world.write(world.config / "my.cnf", "[client]\nuser = a\npassword = hush\nhost = h\nssl-mode = REQUIRED\n")
    world.write_user('[profiles.x]\nengine = "mysql"\noption_file = "my.cnf"\nuser = "own"\n')
    x = world.resolve("x")
    assert (x.user, x.password, x.host, x.tls) == ("own", "hush", "h", TlsLevel.REQUIRE)


def test_a_profile_built_by_hand_resolves_as_well(world: World) -> None:
    origin = Origin(world.config / "none.toml", 1, Scope.USER)
    profile = Profile(name="x", engine="postgresql", origin=origin, host="h", tls=TlsLevel.DISABLE, port=7)
    target = resolve(profile, world.environment)
    assert (target.host, target.tls, target.port) == ("h", TlsLevel.DISABLE, 7)


def test_what_the_profile_says_beside_its_place_stays(world: World) -> None:
    world.write_user("""
        [profiles.x]
        engine = "mysql"
        protected = true
        read_only = true
        statement_timeout = "3s"
        tags = ["a"]
        color = "red"
        [profiles.x.pool]
        max_connections = 2
    """)
    profile, target = world.get("x"), world.resolve("x")
    for name in ("name", "engine", "origin", "protected", "read_only", "statement_timeout", "tags", "color", "pool"):
        assert getattr(target, name) == getattr(profile, name)
