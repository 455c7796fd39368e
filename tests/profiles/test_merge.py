"""`extends`, scopes, and one profile taking the place of another."""

from __future__ import annotations

import pytest

from dbtool.errors import ProfileError
from dbtool.profiles.model import FileSecret, Scope, TlsLevel
from tests.profiles.world import World


def test_a_profile_starts_from_what_it_extends_and_the_pool_merges_key_by_key(world: World) -> None:
    world.write_user("""
        [profiles.root]
        engine = "mysql"
        protected = true
        tags = ["a"]
        pool = { max_connections = 3, min_idle = 2 }
        [profiles.base]
        extends = "root"
        tls = "require"
        pool = { min_idle = 1 }
        [profiles.leaf]
        extends = "base"
        tags = ["b"]
        pool = { timeout = "1s" }
    """)
    leaf = world.get("leaf")
    assert (leaf.engine, leaf.protected, leaf.tls, leaf.tags) == ("mysql", True, TlsLevel.REQUIRE, ("b",))
    assert (leaf.pool.max_connections, leaf.pool.min_idle, leaf.pool.timeout) == (3, 1, 1.0)
    assert leaf.extends == "base"


def test_a_child_may_lift_what_its_base_protects(world: World) -> None:
    world.write_user("""
        [profiles.base]
        engine = "mysql"
        protected = true
        [profiles.leaf]
        extends = "base"
        protected = false
    """)
    assert not world.get("leaf").protected


def test_a_base_without_an_engine_is_a_mistake_only_when_it_is_opened(world: World) -> None:
    world.write_user('[profiles.base]\nuser = "app"\n[profiles.x]\nextends = "base"\nengine = "mysql"\n')
    assert world.load().problems == ()
    assert world.get("x").user == "app"
    with pytest.raises(ProfileError, match=r"profiles\.toml:1: profile 'base': says no engine"):
        world.get("base")


def test_a_profile_without_an_engine_that_nobody_extends_is_a_mistake(world: World) -> None:
    world.write_user('[profiles.base]\nuser = "app"\n')
    assert world.list_problems() == ["1: profile 'base': says no engine: add engine = or url ="]


def test_a_circle_is_refused_in_each_of_its_profiles_and_in_what_extends_them(world: World) -> None:
    world.write_user("""\
        [profiles.a]
        extends = "b"
        [profiles.b]
        extends = "a"
        [profiles.c]
        extends = "a"
        [profiles.d]
        extends = "d"
        [profiles.e]
        engine = "mysql"
    """)
    catalog = world.load()
    for name, words in (("a", "circle"), ("b", "circle"), ("c", "'a' is not valid"), ("d", "d -> d")):
        with pytest.raises(ProfileError, match=words):
            catalog.get(name)
    assert catalog.get("e").engine == "mysql"
    assert len(catalog.problems) == 4


def test_an_invalid_base_spoils_what_extends_it_and_nothing_else(world: World) -> None:
    world.write_user("""\
        [profiles.base]
        engine = "mysql"
        port = 0
        [profiles.x]
        extends = "base"
        [profiles.y]
        engine = "mysql"
    """)
    catalog = world.load()
    with pytest.raises(ProfileError, match=r"profile 'x': extends: 'base' is not valid: .*:3: profile 'base': port"):
        catalog.get("x")
    assert catalog.get("y").name == "y"


def test_an_unknown_base_is_refused_with_the_nearest(world: World) -> None:
    world.write_user('[profiles.base]\nengine = "mysql"\n[profiles.x]\nextends = "bas"\n')
    with pytest.raises(ProfileError, match="no profile is named 'bas'; did you mean base"):
        world.get("x")


def test_a_key_that_only_the_base_engine_knows_is_refused_where_it_is_written(world: World) -> None:
    world.write_user("""\
        [profiles.base]
        user = "app"
        [profiles.x]
        extends = "base"
        engine = "sqlite"
        path = "x.db"
    """)
    assert world.list_problems() == ["2: profile 'x': user: sqlite has no such key"]


def test_two_of_one_name_in_one_scope_are_refused(world: World) -> None:
    world.write_user('[profiles.x]\nengine = "mysql"\n')
    second = world.write(world.config / "profiles.d" / "more.toml", '\n[profiles.x]\nengine = "sqlite"\n')
    (problem,) = world.load().problems
    assert (problem.file, problem.line) == (second, 2)
    with pytest.raises(ProfileError, match=r"is written twice: .*profiles\.toml:1 has one too"):
        world.get("x")


def test_a_trusted_project_replaces_a_users_profile_as_a_whole(world: World) -> None:
    world.write_user('[profiles.x]\nengine = "mysql"\nhost = "mine"\nprotected = true\n')
    world.write_project('[profiles.x]\nengine = "mysql"\nuser = "app"\n')
    world.trust()
    x = world.get("x")
    assert (x.user, x.host, x.protected, x.origin.scope) == ("app", None, False, Scope.PROJECT)


def test_a_trusted_project_may_extend_a_users_profile(world: World) -> None:
    world.write_user('[profiles.base]\nengine = "mysql"\nuser = "ann"\n')
    world.write_project('[profiles.x]\nextends = "base"\n')
    world.trust()
    assert world.get("x").user == "ann"


def test_a_users_profile_extends_the_users_base_whatever_a_project_calls_its_own(world: World) -> None:
    world.write_user("""
        [profiles.base]
        engine = "mysql"
        host = "mine"
        [profiles.x]
        extends = "base"
    """)
    world.write_project('[profiles.base]\nengine = "mysql"\nhost = "theirs"\n[profiles.y]\nextends = "base"\n')
    world.trust()
    assert world.get("x").host == "mine"
    assert world.get("y").host == "theirs"


def test_an_inherited_path_stays_relative_to_the_file_that_wrote_it(world: World) -> None:
    world.write_user("""
        [profiles.base]
        engine = "mysql"
        tls_ca = "ca.pem"
        tls_key = "/abs/key.pem"
        tls_cert = "${CERT}"
        password = { file = "secret" }
    """)
    world.write_project('[profiles.x]\nextends = "base"\n')
    world.trust()
    x = world.get("x")
    assert x.tls_ca == str(world.config / "ca.pem")
    assert (x.tls_key, x.tls_cert) == ("/abs/key.pem", "${CERT}")
    assert x.password == FileSecret(world.config / "secret")


def test_a_host_takes_the_place_of_an_inherited_socket(world: World) -> None:
    world.write_user("""
        [profiles.base]
        engine = "mysql"
        socket = "/s"
        [profiles.x]
        extends = "base"
        host = "h"
    """)
    assert (world.get("x").host, world.get("x").socket) == ("h", None)


def test_a_url_takes_the_place_of_an_inherited_one_and_a_host_beside_a_late_one_is_refused(world: World) -> None:
    world.write_user("""\
        [profiles.base]
        engine = "mysql"
        url = "${URL}"
        [profiles.x]
        extends = "base"
        url = "mysql://h/d"
        [profiles.y]
        extends = "base"
        host = "h"
    """)
    assert (world.get("x").url, world.get("x").host) == (None, "h")
    assert world.list_problems() == [
        "9: profile 'y': host: stands beside the url of 'base', which variables decide: say it in one of the two"
    ]
