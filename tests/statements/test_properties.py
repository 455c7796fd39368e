from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.dialects import DIALECTS
from dbtool.errors import DbtoolError
from dbtool.statements import Splitter, Statement, find_parameters
from dbtool.statements.bodies import holds_copy_data
from tests.statements.feeding import Feed, cut, observe, split_all

EVERY_DIALECT = pytest.mark.parametrize("dialect", list(DIALECTS))

# Anything that means something to one of the lexers, whole and torn apart.
FRAGMENTS = [
    *(bytes([byte]) for byte in b" \t\r\n;'\"`[]()-/*#$\\.:!+aeEN1\x00\xc3\xa9\xff"),
    *(
        b"--",
        b"-- ",
        b"/*",
        b"*/",
        b"/*!",
        b"/*M!",
        b"/*!999999\\-",
        b"/*+",
        b"$$",
        b"$a$",
        b"E'",
        b"''",
        b"\\'",
        b"\\N",
    ),
    *(
        b"select",
        b"insert into t ",
        b"CREATE ",
        b"TRIGGER ",
        b"RULE ",
        b"FUNCTION ",
        b"BEGIN ",
        b"ATOMIC ",
        b"END",
        b"CASE ",
    ),
    *(
        b"explain ",
        b"delimiter //\n",
        b"delimiter ;;\n",
        b"DELIMITER",
        b"//",
        b";;",
        b"source x",
        b".read",
        b"\n\\restrict k\n",
    ),
    *(b"COPY t FROM STDIN;\n", b"1\t2\n", b"\\.\n", b"\n\\.\r\n", b"\xef\xbb\xbf", b"; END;", b"'a;b'", b"\\G"),
]
CHARACTERS = [fragment for fragment in FRAGMENTS if fragment not in {b"\xc3", b"\xa9", b"\xff"}] + ["é".encode()]
SCRIPTS = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join)


@EVERY_DIALECT
@given(script=SCRIPTS, data=st.data())
def test_it_does_not_matter_how_the_bytes_arrive(dialect: str, script: bytes, data: st.DataObject) -> None:
    whole = observe([script], dialect)
    assert observe(cut(script, 1), dialect) == whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(script)), max_size=5)))
    pieces = [script[start:end] for start, end in itertools.pairwise([0, *cuts, len(script)])]
    assert observe((piece for piece in pieces if piece), dialect) == whole


_HEADS = [
    b"insert into t values (",
    b"INSERT INTO t VALUES(",
    b"insert into t (a, b) values ( ",
    b"update t set a = ",
    b"delete from t",
]
_VALUES = [b"1", b"'x'", b"null", b"-1", b"x'00'", b"t2", b"/**/1", b"+2", b"(3)", b" 4", b""]


@EVERY_DIALECT
@given(rows=st.lists(st.tuples(st.sampled_from(_HEADS), st.sampled_from(_VALUES)), max_size=12))
def test_statements_that_begin_alike_are_told_apart(dialect: str, rows: list[tuple[bytes, bytes]]) -> None:
    script = b"".join(head + value + b", 2) ;\n" for head, value in rows)
    assert observe([script], dialect) == observe(cut(script, 1), dialect)


_PLAIN = [
    b"a",
    b"b_1",
    b"x9",
    b"=",
    b",",
    b"(",
    b")",
    b"+",
    b"1",
    b"2.5",
    b"<",
    b"- 3",
    b"/ 4",
    b"* 5",
    b"\xc3\xa9t\xc3\xa9",
]
_COMMON = [b"'a;b'", b"''", b"'it''s;'", b'"q;""r"', b"/* ; ' */", b"-- ;'\"\n", b"'\x00\xfe;'"]
_OF_A_DIALECT = {
    "sqlite": [b"[a;'b]", b"`a;`", b"'\\'", b"$x", b"#"],
    "postgresql": [
        b"E'\\';',",
        b"$$;'$$",
        b"$t$ $$;$$ $t$",
        b"/* ; /* ; */ ' */",
        b"'\\'",
        b"a$b$",
        b"$1",
        b"#",
        b"e'a'';\\'' ||",
    ],
    "mysql": [
        b"'\\';'",
        b'"\\";"',
        b"`a;``b`",
        b"# ;'\n",
        b"/*! ; ' ; ' */",
        b"/*!50001 ;*/",
        b"5--6",
        b"\\N",
        b"/*+ ; */",
    ],
    "mariadb": [b"'\\';'", b"/*M!100100 ; */", b"# ;'\n"],
}


def tokens_of(dialect: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from([*_PLAIN, *_COMMON, *_OF_A_DIALECT[dialect]])


@EVERY_DIALECT
@given(data=st.data())
def test_statements_that_are_joined_come_apart_again(dialect: str, data: st.DataObject) -> None:
    statement = st.lists(tokens_of(dialect), max_size=8).map(lambda rest: b" ".join([b"select", *rest]).strip())
    expected = data.draw(st.lists(statement, max_size=5))
    gaps = st.sampled_from([b"", b"\n", b"\r\n\t ", b" -- ; between '\n", b"/* ; between ' */", b";", b" ;\n;"])
    script = b"".join(data.draw(gaps) + each + b"\n;" for each in expected) + data.draw(gaps)
    assert [each.text for each in split_all(script, dialect, data.draw(st.integers(1, 40)))] == expected


@EVERY_DIALECT
@given(script=st.lists(st.sampled_from(CHARACTERS), max_size=25).map(b"".join), size=st.integers(1, 30))
def test_line_and_column_are_where_the_text_is(dialect: str, script: bytes, size: int) -> None:
    body = script.removeprefix(b"\xef\xbb\xbf")
    for statement in split_as_far_as_possible(script, dialect, size):
        offset = offset_of(body, statement.line, statement.column)
        assert body.startswith(statement.text, offset)


def split_as_far_as_possible(script: bytes, dialect: str, size: int) -> list[Statement]:
    found: list[Statement] = []
    try:
        for statement in Splitter(Feed(cut(script, size)), DIALECTS[dialect], source="s.sql"):
            found.append(statement)  # noqa: PERF402
    except DbtoolError:
        pass
    return found


def offset_of(body: bytes, line: int, column: int) -> int:
    offset = 0
    for _ in range(line - 1):
        offset = body.index(b"\n", offset) + 1
    characters = 0
    while characters < column - 1 or (body[offset] & 0xC0) == 0x80:
        characters += (body[offset] & 0xC0) != 0x80
        offset += 1
    return offset


@EVERY_DIALECT
@given(data=st.data())
def test_a_place_inside_a_statement_is_that_of_the_character(dialect: str, data: st.DataObject) -> None:
    text = data.draw(st.text("aé\n", max_size=20))
    before = data.draw(st.sampled_from(["", "\n", "sélect 1; ", "/* é\n */ "]))
    script = f"{before}select {text}x"
    statement = split_all(script.encode(), dialect)[-1]
    offset = data.draw(st.integers(0, len("select ") + len(text)))
    lines = script[: len(before) + offset].split("\n")
    place = statement.place(offset)
    assert (place.line, place.column) == (len(lines), len(lines[-1]) + 1)


@EVERY_DIALECT
@given(script=SCRIPTS)
def test_any_bytes_can_be_searched_for_parameters(dialect: str, script: bytes) -> None:
    for parameter in find_parameters(script, DIALECTS[dialect]):
        written = script[parameter.start : parameter.end].decode("utf-8", "surrogateescape")
        assert written in {parameter.written, "?"}
        assert parameter.mark == ":" or dialect == "sqlite"
    holds_copy_data(script, DIALECTS[dialect].lexical)


@EVERY_DIALECT
@given(data=st.data())
def test_parameters_between_tokens_are_all_found(dialect: str, data: st.DataObject) -> None:
    tokens = data.draw(st.lists(st.one_of(tokens_of(dialect), st.just(b":p")), max_size=12))
    found = [parameter for parameter in find_parameters(b" ".join(tokens), DIALECTS[dialect]) if parameter.mark == ":"]
    assert len(found) == tokens.count(b":p")
