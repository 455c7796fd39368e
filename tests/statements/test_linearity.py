from __future__ import annotations

from collections.abc import Iterable

import pytest

from dbtool.dialects import DIALECTS, Lexical
from dbtool.statements import Splitter, bodies, splitter
from dbtool.statements import copy_data as stream
from dbtool.statements.bodies import Body
from tests.statements.feeding import Feed, cut

# Time is not measured: what counts is how many bytes are shown to the lexer again and again.


class CountingStream(stream.Stream):
    """Counts the bytes that are still to be dealt with after each read: what is not new there is scanned twice."""

    scanned = 0
    largest = 0

    def fill(self, keep: int) -> None:
        super().fill(keep)
        CountingStream.scanned += len(self.buffer) - self.position
        CountingStream.largest = max(CountingStream.largest, len(self.buffer))


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitter, "Stream", CountingStream)
    CountingStream.scanned = CountingStream.largest = 0


def split_quietly(chunks: Iterable[bytes], dialect: str) -> int:
    return sum(1 for _ in Splitter(Feed(chunks), DIALECTS[dialect], source="s.sql"))


LONG = [
    ("sqlite", b"select '", b"a;'';", b"'"),
    ("sqlite", b"select [", b"a;'", b"]"),
    ("sqlite", b"select ", b"1 - 2 / 3 -- ;\n", b""),
    ("sqlite", b"select 1 /* ", b"* / ; ", b"*/"),
    ("sqlite", b"create trigger t after insert on x begin ", b"select 1; ", b"end"),
    ("sqlite", b"insert into t values (1)", b", (';')", b""),
    ("sqlite", b"select a", b"a", b""),
    ("postgresql", b"select E'", b"\\';'' ;", b"'"),
    ("postgresql", b"select E'x'", b"\n", b"'y\\''"),
    ("postgresql", b"select E'x'", b", ';', e'\\''", b""),
    ("postgresql", b"select $tag$", b"$ta ;$$", b"$tag$"),
    ("postgresql", b"select ", b"a$1 $2 $x$;$x$ ", b""),
    ("postgresql", b"/* ", b"/* ; */ ", b"*/ select 1"),
    ("postgresql", b"create function f() begin atomic ", b"select case 1 when 1 then 2 end; ", b"end"),
    ("postgresql", b"create rule r as on insert to t do (", b"select (1); ", b")"),
    ("mysql", b'select "', b'\\";', b'"'),
    ("mysql", b"select ", b"1--2 # ;\n", b""),
    ("mysql", b"/*!50003 select ", b"';', 2*3 ; ", b"*/"),
    ("mysql", b"delimiter //\nselect ", b"1/2; ", b"//"),
]

STREAMED = [
    ("sqlite", b"", b"-- ;\n/* ; */ ;", b"select 1"),
    ("sqlite", b"/*", b"comment ", b"*/"),
    ("sqlite", b"", b"insert into t values (1);\n", b""),
    ("mysql", b"delimiter ;;\n", b"select 1; ;;\n", b""),
    ("postgresql", b"copy t from stdin;\n", b"1\t2\\.3\n", b"\\.\n"),
    ("postgresql", b"copy t from stdin;\n", b"x\\.", b"\n\\.\n"),
]


@pytest.mark.parametrize(("dialect", "start", "unit", "end"), [*LONG, *STREAMED])
@pytest.mark.parametrize("size", [1, 13])
def test_no_byte_is_scanned_over_and_over(dialect: str, start: bytes, unit: bytes, end: bytes, size: int) -> None:
    script = start + unit * 500 + end
    split_quietly(cut(script, size), dialect)
    # A mark that arrives byte by byte is looked at again with each byte; `$tag$` is the longest one here.
    assert CountingStream.scanned <= 4 * len(script) + 200


@pytest.mark.parametrize(("dialect", "start", "unit", "end"), LONG)
def test_a_long_statement_is_one_statement(dialect: str, start: bytes, unit: bytes, end: bytes) -> None:
    assert split_quietly(cut(start + unit * 500 + end, 13), dialect) == 1


@pytest.mark.parametrize(("dialect", "start", "unit", "end"), STREAMED)
def test_only_the_current_statement_is_held_in_memory(dialect: str, start: bytes, unit: bytes, end: bytes) -> None:
    split_quietly(cut(start + unit * 500 + end, 13), dialect)
    assert CountingStream.largest <= 60


class CountingBody:
    """Counts the bytes that a body is shown."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.shown = 0

    def is_closed_by(self, segment: bytes) -> bool:
        self.shown += len(segment)
        return self._body.is_closed_by(segment)


def test_each_statement_of_a_body_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[CountingBody] = []

    def find_counting(words: tuple[str, ...], lexical: Lexical) -> Body | None:
        body = bodies.find_body(words, lexical)
        found.extend([CountingBody(body)] if body else [])
        return found[-1] if body else None

    monkeypatch.setattr(splitter, "find_body", find_counting)
    script = b"create trigger t after insert on x begin " + b"select 1; " * 500 + b"end;"
    assert split_quietly([script], "sqlite") == 1
    assert [body.shown for body in found] == [len(script) - 501]
