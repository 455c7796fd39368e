from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
import tomlkit

from dbtool.profiles.checks.json_schema import make_schema
from dbtool.profiles.checks.schema import POOL_KEYS, PROFILE_KEYS, KeyKind
from tests.profiles.world import World

EXAMPLES = Path(__file__).parents[3] / "profiles"
VALIDATOR = jsonschema.Draft202012Validator(make_schema())

VALID: dict[KeyKind, list[Any]] = {
    KeyKind.TEXT: ["x", "${A}", "a${B:-c}d", "$${x", "$x"],
    KeyKind.HOST: ["h", "${H}"],
    KeyKind.PATH: ["x", "~/x", "${A}/x"],
    KeyKind.NAME: ["base"],
    KeyKind.CHOICE: [],
    KeyKind.INTEGER: [1, 3],
    KeyKind.BOOLEAN: [True, False],
    KeyKind.DURATION: ["30s", "1h30m", "1.5 s", "250 MS", "5", "10us"],
    KeyKind.TEXTS: [[], ["a", "b"]],
    KeyKind.SETTINGS: [{}],
    KeyKind.ENCODING: ["utf-8", "LATIN1", "cp1252", "utf8mb4"],
    KeyKind.SECRET: ["x", "", {"env": "A"}, {"file": "~/x"}, {"command": ["a", "b"]}, {"keyring": "a/b"}],
    KeyKind.TABLE: [],
}
INVALID: dict[KeyKind, list[Any]] = {
    KeyKind.TEXT: ["", 1, True, ["a"], "${", "${}", "a${1}"],
    KeyKind.HOST: ["", 7, "/run", "@abstract"],
    KeyKind.PATH: ["", 7],
    KeyKind.NAME: ["", "a.b", "a b", 1],
    KeyKind.CHOICE: ["", "other", 1],
    KeyKind.INTEGER: [-1, "1", 1.5, True],
    KeyKind.BOOLEAN: ["true", 1],
    KeyKind.DURATION: [30, "30 parsecs", "", "s", "-1s"],
    KeyKind.TEXTS: ["a", [1], [""]],
    KeyKind.ENCODING: ["", 1],
    KeyKind.SETTINGS: [
        "x",
        1,
        {"a b": "x"},
        {"client_encoding": "x"},
        {"": "x"},
        {"sslcrl": 1},
        {"application_name": "x"},
    ],
    KeyKind.SECRET: [
        1,
        {},
        {"other": "x"},
        {"env": "A", "file": "b"},
        {"command": []},
        {"command": "a"},
        {"keyring": "a"},
    ],
    KeyKind.TABLE: ["x", 1],
}
KEYS = [(key.name, key) for key in PROFILE_KEYS.values()] + [(f"pool.{key.name}", key) for key in POOL_KEYS.values()]


def make_profile(name: str, engine: str, value: Any) -> dict[str, Any]:
    profile: dict[str, Any] = {"engine": engine, **({"path": "x.db"} if engine == "sqlite" else {})}
    if name.startswith("pool."):
        return {**profile, "pool": {name.removeprefix("pool."): value}}
    return {**profile, name: value}


def is_loaded(world: World, document: dict[str, Any]) -> bool:
    world.write_user(tomlkit.dumps(document))
    return not world.load().problems


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind not in {KeyKind.TABLE, KeyKind.SQL}])
def test_the_schema_and_the_validation_agree_on_every_key(world: World, kind: KeyKind) -> None:
    keys = [(name, key) for name, key in KEYS if key.kind is kind and name not in {"engine", "url", "path"}]
    assert keys
    for name, key in keys:
        engine = key.engines[0]
        base = {"engine": engine, **({"path": "x"} if engine == "sqlite" else {})}
        for values, is_valid in ((VALID[kind] + list(key.choices), True), (INVALID[kind], False)):
            for value in values:
                document = {"profiles": {"base": base, "it": make_profile(name, engine, value)}}
                answers = (VALIDATOR.is_valid(document), is_loaded(world, document))
                assert answers == (is_valid, is_valid), (name, value)


@pytest.mark.parametrize(
    ("query", "is_valid"),
    [
        ({"sql": "select :a", "description": "A"}, True),
        ({"sql": "select '${A}'"}, True),
        ({"sql": " \n"}, False),
        ({"sql": 1}, False),
        ({"sql": "x", "description": 1}, False),
        ({"sql": "x", "name": "y"}, False),
        ({}, False),
        ("select 1", False),
    ],
)
def test_the_schema_and_the_validation_agree_on_a_saved_query(world: World, query: object, is_valid: bool) -> None:
    document = {"queries": {"it": query}}
    assert (VALIDATOR.is_valid(document), is_loaded(world, document)) == (is_valid, is_valid)


@pytest.mark.parametrize(
    "profile",
    [
        {"engine": "sqlite", "path": "x", "host": "h"},
        {"engine": "postgresql", "path": "x"},
        {"engine": "mysql", "service": "s"},
        {"engine": "mysql", "host": "h", "socket": "/s"},
        {"url": "mysql://h/d", "host": "h"},
        {"engine": "mysql", "hots": "h"},
        {"engine": "mysql", "pool": {"size": 1}},
        {"engine": "orakel"},
    ],
)
def test_what_keys_forbid_each_other_is_refused_by_both(world: World, profile: dict[str, Any]) -> None:
    document = {"profiles": {"it": profile}}
    assert not VALIDATOR.is_valid(document)
    assert not is_loaded(world, document)


@pytest.mark.parametrize(
    "document", [{"defualt": "a"}, {"profiles": {"a b": {"engine": "mysql"}}}, {"profiles": 1}, {"profiles": {"a": 1}}]
)
def test_the_top_of_a_file_is_checked(document: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_example_profiles_match_the_schema(path: Path) -> None:
    VALIDATOR.validate(tomli.loads(path.read_text()))


def test_the_schema_is_one_of_its_draft_and_describes_every_key() -> None:
    schema = make_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    properties = schema["$defs"]["profile"]["properties"]
    assert properties.keys() == PROFILE_KEYS.keys()
    assert all(described["description"] for described in properties.values())
    assert properties["connect_timeout"]["default"] == "10s"
    assert properties["tls"]["default"] == "prefer"
    assert json.loads(json.dumps(schema)) == schema
