"""What a profile's table may hold, and how each mistake is reported."""

from __future__ import annotations

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles.checks.schema import POOL_KEYS, PROFILE_KEYS, KeyKind
from dbtool.profiles.checks.values import _CONVERTERS
from dbtool.profiles.model import CommandSecret, EnvironmentSecret, KeyringSecret, PlainSecret, Reset, TlsLevel
from tests.profiles.world import World


def test_every_key_of_the_design_reaches_the_model(world: World) -> None:
    world.write_user("""
        [profiles.base]
        engine = "postgresql"
        user = "app"
        tls = "verify-full"

        [profiles.prod]
        extends = "base"
        host = "db.example.com"
        database = "shop"
        password = { env = "PROD_DB_PASSWORD" }
        protected = true
        statement_timeout = "30s"
        connect_timeout = "5s"
        tags = ["eu", "primary"]
        on_connect = ["SET TIME ZONE 'UTC'"]

        [profiles.prod.pool]
        max_connections = 20
        min_idle = 1
        timeout = "2s"
        stale_timeout = "1h"
        idle_timeout = "1m"
        reset = "session"
    """)
    prod = world.get("prod")
    assert (prod.engine, prod.user, prod.host, prod.database) == ("postgresql", "app", "db.example.com", "shop")
    assert prod.tls is TlsLevel.VERIFY_FULL
    assert prod.password == EnvironmentSecret("PROD_DB_PASSWORD")
    assert prod.protected
    assert (prod.statement_timeout, prod.connect_timeout) == (30.0, 5.0)
    assert prod.tags == ("eu", "primary")
    assert prod.on_connect == ("SET TIME ZONE 'UTC'",)
    assert (prod.pool.max_connections, prod.pool.min_idle, prod.pool.timeout) == (20, 1, 2.0)
    assert (prod.pool.stale_timeout, prod.pool.idle_timeout, prod.pool.reset) == (3600.0, 60.0, Reset.SESSION)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('hots = "x"', "hots: is not a key that dbtool knows; did you mean host?"),
        ("port = 0", "port: is 0, and must be at least 1"),
        ("port = 65536", "port: is 65536, and must be at most 65535"),
        ('port = "5432"', "port: must be a whole number, not a string"),
        ("port = true", "port: must be a whole number, not true or false"),
        ("port = 5432.0", "port: must be a whole number, not a number"),
        ('protected = "yes"', "protected: must be true or false, not a string"),
        ("protected = 1", "protected: must be true or false, not a number"),
        ("read_only = 0", "read_only: must be true or false, not a number"),
        ('statement_timeout = "fast"', "statement_timeout: 'fast' is no duration"),
        ('statement_timeout = "-1s"', "statement_timeout: '-1s' is no duration"),
        ("connect_timeout = 5", 'connect_timeout: must be a duration in quotes, with its unit, as in "5s"'),
        ('tls = "verify"', "tls: 'verify' is not one of disable, prefer, require, verify-ca, verify-full"),
        ('tls = "verify-ful"', "did you mean verify-full?"),
        ("host = 3", "host: must be a server's name or address, not a number"),
        ('host = ""', "host: is empty"),
        ('host = "/run/postgresql"', "host: is a socket"),
        ('host = "a\\u0000b"', "host: holds a NUL character"),
        ('host = "${"', "host: has a ${ that is no ${VAR}"),
        ('user = ["a"]', "user: must be a string, not a list"),
        ('tags = "eu"', "tags: must be a list of strings, not a string"),
        ("tags = [1]", "tags: must be a list of strings, not a list"),
        ('color = "pink"', "color: 'pink' is not one of"),
        ('target_session_attrs = "readwrite"', "did you mean read-write?"),
        ('engine = "${E}"', "engine: cannot hold a ${VAR}"),
        ("password = 1", "password: must be a string or one of"),
        (
            'password = { vault = "x" }',
            "password: 'vault' is no place for a secret; known: command, env, file, keyring",
        ),
        ('password = { env = "A", file = "b" }', "password: must name exactly one of"),
        ("password = {}", "password: must name exactly one of"),
        ("password = { env = 1 }", "password: env: must be a string"),
        ('password = { command = "pass" }', "password: command: must be a list of strings"),
        ("password = { command = [] }", "password: command: is empty"),
        ('password = { keyring = "shop" }', "password: keyring: must be service/user"),
        ("pool = 3", "pool: must be a table"),
        ("pool = { max_connections = 0 }", "pool.max_connections: is 0, and must be at least 1"),
        ("pool = { min_idle = -1 }", "pool.min_idle: is -1, and must be at least 0"),
        ("pool = { min_idle = 11 }", "pool.min_idle: is more than max_connections, 10"),
        ("pool = { max_conections = 1 }", "pool.max_conections: is not a key that dbtool knows; did you mean max_con"),
        ('pool = { reset = "all" }', "pool.reset: 'all' is not one of transaction, session"),
        ('path = "x.db"', "path: postgresql has no such key"),
        ("create = true", "create: postgresql has no such key"),
        ('option_file = "x"', "option_file: postgresql has no such key"),
        ('host = "h"\nsocket = "/s"', "socket: stands beside host"),
        ('extends = "bse"', "extends: no profile is named 'bse'"),
        ('extends = "a b"', "extends: must be a profile's name"),
        ("since = 2020-01-01", "since: is not a key that dbtool knows"),
        ("host = 2020-01-01", "host: must be a server's name or address, not a date or time"),
    ],
)
def test_a_mistake_is_refused_with_its_key_and_the_cure(world: World, line: str, message: str) -> None:
    engine = "" if "engine" in line else 'engine = "postgresql"\n'
    world.write(world.config / "profiles.toml", f"[profiles.x]\n{engine}{line}\n")
    (problem,) = world.load().problems
    assert problem.profile == "x"
    assert problem.line == (2 if "engine" in line else 4 if "\n" in line else 3)
    assert message in f"{problem.key}: {problem.message}"
    with pytest.raises(ProfileError, match=rf"profiles\.toml:{problem.line}: profile 'x': "):
        world.get("x")


def test_all_mistakes_of_a_file_come_together_in_order(world: World) -> None:
    world.write_user("""\
        colour = "x"
        [profiles.a]
        engine = "sqlite"
        host = "h"
        [profiles.b]
        engine = "mysql"
        port = 0
        tls = 1
        [profiles.b.pool]
        timeout = 3
        [profiles."c.d"]
        engine = "mysql"
        [profiles]
        e = 3
    """)
    assert world.list_problems() == [
        "1: colour: is not a key at the top of a file; known: default, profiles, queries",
        '2: profile \'a\': says no path: add path = "FILE" or path = ":memory:"',
        "4: profile 'a': host: sqlite has no such key",
        "7: profile 'b': port: is 0, and must be at least 1",
        "8: profile 'b': tls: must be one of disable, prefer, require, verify-ca, verify-full, not a number",
        "10: profile 'b': pool.timeout: must be a duration in quotes, with its unit, as in \"3s\"",
        "11: profile 'c.d': a profile's name is a word of letters, digits, - and _",
        "14: profile 'e': must be a table",
    ]


def test_the_error_of_a_profile_counts_the_others(world: World) -> None:
    world.write_user('[profiles.x]\nengine = "mysql"\nport = 0\nhots = 1\ntls = ""')
    with pytest.raises(ProfileError, match=r":3: profile 'x': port: .* \(and 2 more: dbtool profile check x\)$"):
        world.get("x")


def test_a_key_without_a_place_of_its_own_is_reported_at_the_table(world: World) -> None:
    world.write_user('[profiles]\n\nx = { engine = "mysql", port = 0 }\n')
    (problem,) = world.load().problems
    assert (problem.line, problem.key) == (3, "port")


@pytest.mark.parametrize("name", ["'a b'", "'a.b'", "'-'", "'a/b'", "''", "'a\\nb'"])
def test_a_profile_that_no_command_line_could_name_is_refused(world: World, name: str) -> None:
    world.write_user(f'[profiles.{name}]\nengine = "mysql"\n')
    (problem,) = world.load().problems
    assert "a profile's name is a word" in problem.message


def test_each_kind_of_secret_is_read(world: World) -> None:
    world.write_user("""
        [profiles]
        plain = { engine = "mysql", password = "hush" }
        empty = { engine = "mysql", password = "" }
        command = { engine = "mysql", password = { command = ["pass", "shop"] } }
        keyring = { engine = "mysql", password = { keyring = "https://shop/ann" } }
    """)
    assert world.get("plain").password == PlainSecret("hush")
    assert world.get("empty").password == PlainSecret("")
    assert world.get("command").password == CommandSecret(("pass", "shop"))
    assert world.get("keyring").password == KeyringSecret("https://shop/ann")


def test_no_representation_shows_a_password(world: World) -> None:
    world.write_user("""
        [profiles]
        a = { engine = "mysql", password = "hush" }
        b = { url = "mysql://u:hush@h" }
        c = { engine = "mysql", url = "${X:-mysql://u:hush@h}" }
    """)
    catalog = world.load()
    shown = [repr(catalog.get(name)) for name in "abc"] + [repr(catalog.entries()), repr(catalog.sources)]
    shown += [repr(catalog.get("a").password), repr(catalog._merged["b"]), repr(world.resolve("a"))]
    assert not [text for text in shown if "hush" in text]


def test_a_url_becomes_keys_that_are_checked_like_any_other(world: World) -> None:
    world.write_user("""
        [profiles.x]
        url = "postgresql://u:p%40@h:1/d?sslmode=require&connect_timeout=3"
        [profiles.y]
        url = "postgresql://h:70000/d?target_session_attrs=x"
    """)
    x = world.get("x")
    assert (x.engine, x.user, x.password, x.host, x.port) == ("postgresql", "u", PlainSecret("p@"), "h", 1)
    assert (x.database, x.tls, x.connect_timeout, x.url) == ("d", TlsLevel.REQUIRE, 3.0, None)
    assert world.list_problems() == [
        "5: profile 'y': url: port: is 70000, and must be at most 65535",
        "5: profile 'y': url: target_session_attrs: 'x' is not one of any, read-write, read-only, primary, standby, "
        "prefer-standby",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('host = "h2"', "host: stands beside url"),
        ("port = 3", "port: stands beside url"),
        ('database = "d2"', "database: stands beside url"),
        ('user = "d2"', "user: stands beside url"),
        ('engine = "mysql"', "engine: contradicts url"),
        ('password = { env = "X" }', "password: contradicts url"),
        ('tls = "disable"', "tls: contradicts url"),
    ],
)
def test_a_url_stands_alone(world: World, lines: str, message: str) -> None:
    world.write_user(f'[profiles.x]\nurl = "postgresql://u:p@h/d?tls=require"\n{lines}\n')
    (problem,) = world.load().problems
    assert message in f"{problem.key}: {problem.message}"
    assert problem.line == 3


def test_a_url_without_a_password_leaves_room_for_a_secret(world: World) -> None:
    world.write_user('[profiles.x]\nurl = "mysql://u@h/d"\nengine = "mysql"\npassword = { env = "X" }\n')
    assert world.get("x").password == EnvironmentSecret("X")


def test_a_url_from_a_variable_needs_an_engine(world: World) -> None:
    world.write_user('[profiles.x]\nurl = "${DATABASE_URL}"\n')
    with pytest.raises(ProfileError, match="says no engine"):
        world.get("x")


def test_a_url_that_is_wrong_is_reported_without_its_text(world: World) -> None:
    world.write_user('[profiles.x]\nurl = "mysql://u:hush/@h"\n')
    (problem,) = world.load().problems
    assert (problem.key, problem.line) == ("url", 2)
    assert "hush" not in str(problem)


def test_the_schema_describes_every_key_and_every_kind_can_be_checked() -> None:
    rows = [*PROFILE_KEYS.values(), *POOL_KEYS.values()]
    assert all(row.description.endswith(".") for row in rows)
    assert {row.kind for row in rows} <= {*_CONVERTERS, KeyKind.TABLE}
    assert PROFILE_KEYS["path"].engines == ("sqlite",)
    assert PROFILE_KEYS["service"].engines == ("postgresql",)
    assert PROFILE_KEYS["host"].engines == ("postgresql", "mysql", "mariadb")
    assert PROFILE_KEYS["tags"].engines == ("sqlite", "postgresql", "mysql", "mariadb")
