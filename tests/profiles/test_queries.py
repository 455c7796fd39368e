from pathlib import Path

import pytest

from dbtool.errors import ProfileError
from tests.profiles.world import World

USER = """
    [profiles.db]
    engine = "sqlite"
    path = ":memory:"

    [queries.top]
    sql = '''
    select :n'''
    description = "A number"
"""


def test_a_query_has_its_sql_its_description_and_its_place(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(USER)
    query = world.load().get_query("top")
    assert (query.sql, query.description, query.origin.line) == ("select :n", "A number", 6)
    assert world.load().problems == ()


def test_a_trusted_projects_query_stands_before_the_users_own(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(USER)
    world.write_project('[queries.top]\nsql = "select 2"\n[queries.more]\nsql = "select 3"\n')
    world.trust()
    assert [(query.name, query.sql) for query in world.load().queries.values()] == [
        ("top", "select 2"),
        ("more", "select 3"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[queries.q]\nsqk = "select 1"\n', ":2: queries.q.sqk: is not a key of a query; did you mean sql?"),
        ("[queries.q]\nsql = 3\n", ":2: queries.q.sql: must be SQL, in a string, not a number"),
        ('[queries.q]\nsql = " "\n', ":2: queries.q.sql: is empty"),
        ('[queries.q]\nsql = "a\\u0000b"\n', ":2: queries.q.sql: holds a NUL character"),
        ('[queries.q]\ndescription = "x"\n', ":1: queries.q: says no SQL"),
        ("[queries]\nq = 3\n", ':2: queries.q: must be a table with sql = "..."'),
        ('[queries."q x"]\nsql = "select 1"\n', "a query's name is a word"),
        ("queries = 3\n", "queries: must be a table: write [queries.NAME]"),
    ],
)
def test_what_is_wrong_with_a_query_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    world = World(root=tmp_path)
    world.write_user(text)
    name = "q x" if "q x" in text else "q"
    with pytest.raises(ProfileError) as caught:
        world.load().get_query(name)
    assert message in str(caught.value)


def test_a_query_that_is_wrong_stops_nothing_else(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(USER + "\n    [queries.bad]\n    sql = 3\n")
    assert world.get("db").engine == "sqlite"
    assert world.load().get_query("top").sql == "select :n"


def test_two_queries_of_one_name_in_one_scope_are_refused(tmp_path: Path) -> None:
    world = World(root=tmp_path)
    world.write_user(USER)
    world.write(world.config / "profiles.d" / "more.toml", '[queries.top]\nsql = "select 2"\n')
    with pytest.raises(ProfileError, match=r"queries.top: is written twice: .*more.toml:1 has one too"):
        world.load().get_query("top")


@pytest.mark.parametrize(
    ("name", "message"),
    [("tpo", "did you mean top?"), ("a.sql", "dbtool query -f a.sql runs a file"), ("zz", "known: top")],
)
def test_a_name_that_nobody_has_is_answered(tmp_path: Path, name: str, message: str) -> None:
    world = World(root=tmp_path)
    world.write_user(USER)
    with pytest.raises(ProfileError) as caught:
        world.load().get_query(name)
    assert message in str(caught.value)
