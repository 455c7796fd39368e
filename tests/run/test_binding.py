from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from dbtool.dialects import DIALECTS
from dbtool.errors import UsageError
from dbtool.run.binding import Usage, parse_parameters
from dbtool.statements import Statement

NOWHERE = Path("/nowhere")


def statement(text: str) -> Statement:
    return Statement(text.encode(), "s.sql", 3, 5, ("SELECT",))


def test_without_specifications_there_are_no_parameters() -> None:
    assert parse_parameters([], NOWHERE) is None


@pytest.mark.parametrize(
    ("specification", "value"),
    [
        ("x=1", "1"),
        ("x=", ""),
        ("x=a=b", "a=b"),
        ("x=two\nlines", "two\nlines"),
        ("x:=1", 1),
        ("x:=-1.10", Decimal("-1.10")),
        ("x:=1e400", Decimal("1e400")),
        ("x:=123456789012345678901234567890", 123456789012345678901234567890),
        ("x:=true", True),
        ("x:=null", None),
        ('x:="\\u00e9"', "\u00e9"),
        ("x:=[1.10,  2]", "[1.10,  2]"),
        ('x:={"a": null}', '{"a": null}'),
        ("x:= 7 ", 7),
    ],
)
def test_a_specification_becomes_a_value_of_its_own_type(specification: str, value: object) -> None:
    parameters = parse_parameters([specification], NOWHERE)
    assert parameters == {"x": value}
    assert type(parameters["x"]) is type(value)


def test_a_file_is_text_where_it_can_be_and_bytes_where_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("caf\u00e9\r\n")
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "nul").write_bytes(b"a\0b")
    given = parse_parameters(["t@=text", f"b@={tmp_path}/bytes", "n@=nul"], tmp_path)
    assert given == {"t": "caf\u00e9\r\n", "b": b"\xff", "n": b"a\0b"}


@pytest.mark.parametrize(
    ("specification", "reason"),
    [
        ("x", "name=text"),
        ("", "name=text"),
        ("=1", "name=text"),
        ("a-b=1", "name=text"),
        ("x:=", "not JSON"),
        ("x:='a'", "x=... for plain text"),
        ("x:=Infinity", "Infinity"),
        ("x@=missing", "No such file"),
        ("x=\udcff", "UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(specification: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        parse_parameters([specification], NOWHERE)
    assert str(refused.value).startswith("-v ")
    with pytest.raises(UsageError, match="twice"):
        parse_parameters(["x=1", "x=2"], NOWHERE)


def test_a_name_without_a_value_is_named_with_its_place() -> None:
    usage = Usage({"a": 1}, DIALECTS["sqlite"])
    with pytest.raises(UsageError, match=r"s\.sql:4:3: .*:b\b.*-v b="):
        usage.note(statement("select '\u00e9:c', :a,\n  :b"))


def test_every_value_has_to_be_used_by_some_statement() -> None:
    usage = Usage({"a": 1, "b": 2}, DIALECTS["sqlite"])
    usage.note(statement("select :b"))
    with pytest.raises(UsageError, match=":a"):
        usage.require_all_used()
    usage.note(statement("select :a"))
    usage.require_all_used()


def test_without_parameters_a_colon_is_text() -> None:
    usage = Usage(None, DIALECTS["sqlite"])
    usage.note(statement("select :a"))
    usage.require_all_used()
