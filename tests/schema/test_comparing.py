"""In what two schemas differ."""

from collections.abc import Callable

import pytest

from dbtool.schema.comparing import CompareOptions, Finding, compare, normal_type
from dbtool.schema.json_form import from_json, to_json
from dbtool.schema.model import Column, Constraint, Index, Reference, Routine, Schema, Sequence, Table, Trigger, Type

PLAIN = CompareOptions()
KEY = Constraint(name="t_pkey", kind="primary key", columns=("id",), definition="PRIMARY KEY (id)")
REFERENCE = Constraint(
    name="t_fkey",
    kind="foreign key",
    columns=("other",),
    definition="FOREIGN KEY (other) REFERENCES u(id)",
    references=Reference(schema="public", table="u", columns=("id",), on_delete="cascade"),
)
TABLE = Table(
    schema="public",
    name="t",
    kind="table",
    columns=(Column(name="id", type="integer", nullable=False), Column(name="name", type="text", comment="of it")),
    constraints=(KEY, REFERENCE),
    indexes=(Index(name="t_name", keys=("name",), method="btree"),),
    triggers=(Trigger(name="t_trigger", definition="CREATE TRIGGER ... EXECUTE FUNCTION f()"),),
)
VIEW = Table(schema="public", name="v", kind="view", definition="SELECT 1")
SCHEMA = Schema(
    engine="postgresql",
    database="shop",
    tables=(TABLE, VIEW),
    routines=(Routine(schema="public", name="f", kind="function", arguments="a integer", definition="begin end"),),
    sequences=(Sequence(schema="public", name="s", start=1, increment=1, minimum=1, maximum=9, cache=1, cycles=False),),
    types=(Type(schema="public", name="mood", kind="enum", definition="ENUM ('sad', 'ok')"),),
)


def with_table(change: Callable[[Table], Table]) -> Schema:
    return SCHEMA.replaced(tables=(change(TABLE), VIEW))


def with_column(**changes: object) -> Schema:
    return with_table(lambda table: table.replaced(columns=(table.columns[0], table.columns[1].replaced(**changes))))


def test_a_schema_is_equal_to_itself_and_to_its_snapshot() -> None:
    assert compare(SCHEMA, SCHEMA, CompareOptions(comments=True, order=True, owners=True, partitions=True)) == []
    assert compare(SCHEMA, from_json(to_json(SCHEMA)), PLAIN) == []


@pytest.mark.parametrize(
    ("other", "finding"),
    [
        (with_column(type="varchar(9)"), ("column", "t.name", "type", "text", "varchar(9)")),
        (with_column(nullable=False), ("column", "t.name", "null", "yes", "no")),
        (with_column(default="'x'"), ("column", "t.name", "default", None, "'x'")),
        (with_column(generated="upper(id)"), ("column", "t.name", "generated", None, "upper(id)")),
        (
            with_table(lambda table: table.replaced(columns=table.columns[:1])),
            ("column", "t.name", "exists", "text", None),
        ),
        (
            with_table(lambda table: table.replaced(constraints=(REFERENCE,))),
            ("primary key", "t.t_pkey", "exists", "primary key (id)", None),
        ),
        (
            with_table(lambda table: table.replaced(constraints=(KEY,))),
            ("foreign key", "t.t_fkey", "exists", "foreign key (other) to u (id) on delete cascade", None),
        ),
        (with_table(lambda table: table.replaced(indexes=())), ("index", "t.t_name", "exists", "(name)", None)),
        (
            with_table(lambda table: table.replaced(indexes=(table.indexes[0].replaced(unique=True),))),
            ("index", "t.t_name", "definition", "(name)", "unique (name)"),
        ),
        (with_table(lambda table: table.replaced(triggers=())), ("trigger", "t.t_trigger", "exists", "there", None)),
        (
            with_table(lambda table: table.replaced(triggers=(table.triggers[0].replaced(enabled=False),))),
            ("trigger", "t.t_trigger", "enabled", "yes", "no"),
        ),
        (
            SCHEMA.replaced(tables=(TABLE, VIEW.replaced(definition="SELECT 2"))),
            ("view", "v", "definition", "SELECT 1", "SELECT 2"),
        ),
        (SCHEMA.replaced(tables=(TABLE,)), ("view", "v", "exists", "there", None)),
        (SCHEMA.replaced(routines=()), ("function", "f(a integer)", "exists", "there", None)),
        (
            SCHEMA.replaced(routines=(SCHEMA.routines[0].replaced(definition="begin ; end"),)),
            ("function", "f(a integer)", "definition", "begin end", "begin ; end"),
        ),
        (SCHEMA.replaced(types=()), ("type", "mood", "exists", "there", None)),
        (
            SCHEMA.replaced(sequences=(SCHEMA.sequences[0].replaced(increment=2),)),
            ("sequence", "s", "increment", "1", "2"),
        ),
    ],
)
def test_each_kind_of_difference_is_found_and_nothing_else(other: Schema, finding: tuple[str | None, ...]) -> None:
    def spell(found: Finding) -> tuple[str | None, ...]:
        return found.kind, found.name, found.aspect, found.before, found.after

    assert [spell(found) for found in compare(SCHEMA, other, PLAIN)] == [finding]
    (reverse,) = compare(other, SCHEMA, PLAIN)
    assert (reverse.before, reverse.after) == (finding[4], finding[3])


@pytest.mark.parametrize(
    ("other", "option"),
    [
        (with_column(comment="else"), "comments"),
        (with_table(lambda table: table.replaced(columns=table.columns[::-1])), "order"),
        (with_table(lambda table: table.replaced(owner="eve")), "owners"),
        (
            SCHEMA.replaced(tables=(TABLE, VIEW, TABLE.replaced(name="t_2026", partition_of="t"))),
            "partitions",
        ),
    ],
)
def test_what_mostly_differs_is_compared_when_it_is_asked_for(other: Schema, option: str) -> None:
    assert compare(SCHEMA, other, PLAIN) == []
    assert len(compare(SCHEMA, other, CompareOptions(**{option: True}))) == 1


def test_names_that_a_server_made_up_and_the_name_of_a_lone_schema_do_not_count() -> None:
    def move(table: Table) -> Table:
        moved = table.replaced(schema="shop2")
        keys = tuple(key.replaced(name=f"other_{key.name}") for key in table.constraints)
        to = keys[1].replaced(
            references=REFERENCE.references.replaced(schema="shop2") if REFERENCE.references else None
        )
        return moved.replaced(constraints=(keys[0], to))

    other = SCHEMA.replaced(
        tables=(move(TABLE), VIEW.replaced(schema="shop2", definition="SELECT 1")),
        routines=tuple(one.replaced(schema="shop2") for one in SCHEMA.routines),
        sequences=tuple(one.replaced(schema="shop2") for one in SCHEMA.sequences),
        types=tuple(one.replaced(schema="shop2") for one in SCHEMA.types),
    )
    assert compare(SCHEMA, other, PLAIN) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("integer", "int(11)", True),
        ("int4", "int(11)", True),
        ("bigint", "int(11)", False),
        ("INTEGER", "bigint", True),
        ("character varying(20)", "varchar(20)", True),
        ("character varying(20)", "varchar(21)", False),
        ("numeric(8,2)", "decimal(8,2)", True),
        ("numeric(8)", "decimal(8,0)", True),
        ("boolean", "tinyint(1)", True),
        ("bigint", "bigint(20) unsigned", False),
        ("timestamp with time zone", "datetime", True),
        ("text", "blob", False),
        ("integer[]", "integer", False),
    ],
)
def test_types_of_two_engines_are_the_same_where_they_hold_the_same(one: str, other: str, same: bool) -> None:
    left, right = normal_type(one), normal_type(other)
    assert (left[0] == right[0] and (left[1] == right[1] or None in {left[1], right[1]})) is same


def _with_columns(columns: object) -> dict[str, object]:
    table = {"schema": "main", "name": "t", "kind": "table", "columns": columns}
    return {"dbtool-schema": 1, "engine": "sqlite", "database": "x", "tables": [table]}


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ([], "no snapshot"),
        ({"tables": []}, "no snapshot"),
        ({"dbtool-schema": 2}, "version 2"),
        ({"dbtool-schema": 1, "engine": "sqlite"}, "lacks something"),
        ({"dbtool-schema": 1, "engine": "sqlite", "database": "x", "tables": [3]}, "damaged"),
        ({"dbtool-schema": 1, "engine": "sqlite", "database": "x", "tables": [{"nme": "t"}]}, "damaged"),
        ({"dbtool-schema": 1, "engine": "sqlite", "database": "x", "tables": "t"}, "damaged"),
        ({"dbtool-schema": 1, "engine": 5, "database": "x"}, "damaged"),
        ({"dbtool-schema": 1, "engine": "sqlite", "database": None}, "damaged"),
        (_with_columns("ab"), "damaged"),
        (_with_columns([{"name": 1, "type": "int"}]), "damaged"),
        (_with_columns([{"name": "a", "type": "int", "nullable": "no"}]), "damaged"),
        (_with_columns([{"name": "a", "type": "int", "details": {"storage": 1}}]), "damaged"),
        (_with_columns([None]), "damaged"),
    ],
)
def test_what_is_no_snapshot_is_refused(form: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_json(form)
