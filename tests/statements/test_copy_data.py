from __future__ import annotations

import pytest

from dbtool.dialects import DIALECTS
from dbtool.errors import QueryError
from dbtool.statements import CopyData, Splitter, Statement
from dbtool.statements.copy_data import Stream
from tests.statements.feeding import Feed, cut, split_all, texts

SCRIPT = b"COPY t (a, b) FROM stdin;\n1\tx;y\n2\t\\N\n\\.x\n\n\\.\n\nselect 2;"
DATA = b"1\tx;y\n2\t\\N\n\\.x\n\n"


def read_all(data: CopyData, size: int) -> bytes:
    return b"".join(iter(lambda: data.read(size), b""))


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("size", [1, 4, 8192, -1])
def test_the_data_run_up_to_the_marker_and_sql_goes_on_after_it(chunk: int, size: int) -> None:
    statements = iter(Splitter(Feed(cut(SCRIPT, chunk)), DIALECTS["postgresql"], source="s.sql"))
    copy = next(statements)
    assert copy.text == b"COPY t (a, b) FROM stdin"
    assert copy.copy_data is not None
    assert read_all(copy.copy_data, size) == DATA
    assert copy.copy_data.read(10) == b""
    after = next(statements)
    assert (after.text, after.line, after.column) == (b"select 2", 8, 1)


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_lines_can_be_read_one_by_one(chunk: int) -> None:
    statement = next(iter(Splitter(Feed(cut(SCRIPT, chunk)), DIALECTS["postgresql"], source="s.sql")))
    assert statement.copy_data is not None
    assert list(iter(statement.copy_data.readline, b"")) == DATA.splitlines(keepends=True)


def test_a_line_can_be_read_in_parts() -> None:
    statement = next(iter(Splitter(Feed([SCRIPT]), DIALECTS["postgresql"], source="s.sql")))
    assert statement.copy_data is not None
    assert [statement.copy_data.readline(4) for _ in range(3)] == [b"1\tx;", b"y\n", b"2\t\\N"]


@pytest.mark.parametrize("end", [b"\n\\.\n", b"\r\n\\.\r\n", b"\n\\.", b"\r\n\\.\r"])
def test_the_marker_may_end_in_either_way_or_with_the_script(end: bytes) -> None:
    for size in (1, 100):
        (statement,) = Splitter(Feed(cut(b"copy t from stdin;\na" + end, size)), DIALECTS["postgresql"], source="s.sql")
        assert statement.text == b"copy t from stdin"
    found = None
    for statement in Splitter(Feed([b"copy t from stdin;\na" + end]), DIALECTS["postgresql"], source="s.sql"):
        found = statement.copy_data.read() if statement.copy_data else None
    assert found == b"a" + end.split(b"\\")[0]


def test_data_that_nobody_reads_are_skipped() -> None:
    assert texts(SCRIPT, "postgresql") == [b"COPY t (a, b) FROM stdin", b"select 2"]


def test_data_that_are_half_read_are_skipped() -> None:
    statements = iter(Splitter(Feed([SCRIPT]), DIALECTS["postgresql"], source="s.sql"))
    data = next(statements).copy_data
    assert data is not None
    assert data.read(3) == DATA[:3]
    assert next(statements).text == b"select 2"


def test_no_data_at_all_is_fine() -> None:
    assert texts(b"copy t from stdin; -- none\n\\.\nselect 2", "postgresql") == [b"copy t from stdin", b"select 2"]


def has_data(statement: Statement) -> bool:
    return statement.copy_data is not None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"copy t from stdin", True),
        (b"COPY t (a) FROM /* x */ STDIN WITH (FORMAT csv)", True),
        (b"copy binary t from stdin", True),
        (b"copy t from 'stdin'", False),
        (b'copy t from "stdin"', False),
        (b"copy t to stdout", False),
        (b"copy (select a from stdin) to stdout", False),
        (b"copy t from program 'x' -- from stdin", False),
        (b"select a from stdin", False),
    ],
)
def test_only_copy_from_stdin_has_data(script: bytes, expected: bool) -> None:
    statement = next(iter(Splitter(Feed([script]), DIALECTS["postgresql"], source="s.sql")))
    assert has_data(statement) is expected


def test_other_engines_have_no_inline_data() -> None:
    assert texts(b"copy t from stdin;\nselect 2;", "sqlite") == [b"copy t from stdin", b"select 2"]


@pytest.mark.parametrize(
    "script", [b"\ncopy t from stdin;\n1\n2", b"\ncopy t from stdin;", b"\ncopy t from stdin;\n\\"]
)
def test_data_without_an_end_are_an_error_at_their_copy(script: bytes) -> None:
    with pytest.raises(QueryError, match=r"s.sql:2:1: the data of this COPY do not end"):
        split_all(script, "postgresql")


def test_sql_on_the_line_of_a_copy_is_refused() -> None:
    with pytest.raises(QueryError, match=r"s.sql:1:20: the data of COPY begin on the next line"):
        split_all(b"copy t from stdin; select 1;\n\\.\n", "postgresql")


def test_a_long_table_is_handed_on_in_blocks_while_it_arrives() -> None:
    feed = Feed([b"copy t from stdin;\n", b"aaaa\nbb", b"bb\ncccc", b"cccc\n\\.\n"])
    statement = next(iter(Splitter(feed, DIALECTS["postgresql"], source="s.sql")))
    assert statement.copy_data is not None
    assert feed.reads == 1
    assert statement.copy_data.read(100) == b"aaaa\n"
    assert feed.reads == 2
    assert [statement.copy_data.read(100) for _ in range(3)] == [b"bb", b"bb\n", b"cccc"]
    assert feed.reads == 3
    assert [statement.copy_data.read(100) for _ in range(2)] == [b"cccc\n", b""]


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("script", [b"copy t from stdin", b"copy t from stdin;\n", b"copy t from stdin ; \n\n"])
def test_a_copy_that_ends_its_script_finds_its_data_elsewhere(script: bytes, size: int) -> None:
    apart = Stream(Feed(cut(b"1\n2\n\\.\n3\n\\x", size)), "standard input")
    read = [
        statement.copy_data.read()
        for _ in range(3)
        for statement in Splitter(Feed(cut(script, size)), DIALECTS["postgresql"], source="a", copy_input=apart)
        if statement.copy_data is not None
    ]
    assert read == [b"1\n2\n", b"3\n\\x", b""]


def test_data_that_follow_in_the_script_are_not_looked_for_elsewhere() -> None:
    apart = Stream(Feed([b"other\n"]), "standard input")
    for statement in Splitter(Feed([SCRIPT]), DIALECTS["postgresql"], source="s.sql", copy_input=apart):
        if statement.copy_data is not None:
            assert statement.copy_data.read() == DATA


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("script", [b"copy t from stdin;", b"COPY t (a, b) FROM STDOUT WITH (format csv);"])
def test_the_data_of_a_copy_that_failed_are_counted_and_passed_over(script: bytes, size: int) -> None:
    data = b"\n1\ta;b\n2\t'\n3\n\\.\nselect 2;"
    statements = iter(Splitter(Feed(cut(script + data, size)), DIALECTS["postgresql"], source="s.sql"))
    first = next(statements)
    assert first.copy_data is not None
    assert first.copy_data.skip() == 3
    assert [(each.text, each.line) for each in statements] == [(b"select 2", 6)]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("after", [b"\n", b" select 1;\n", b"\nselect '\\\\.' as a;\n", b" -- c\n"])
def test_what_follows_a_copy_that_failed_is_sql_where_no_end_of_data_follows(after: bytes, size: int) -> None:
    script = b"select 0; copy t from stdin;" + after + b"select 2;\n  select 3"
    statements = iter(Splitter(Feed(cut(script, size)), DIALECTS["postgresql"], source="s.sql"))
    found = []
    for statement in statements:
        found.append((statement.text, statement.line, statement.column))
        if statement.copy_data is not None:
            assert statement.copy_data.skip() is None
    expected = list(Splitter(Feed([script.replace(b"copy t from stdin", b"drop table the_table")]),
                             DIALECTS["postgresql"], source="s.sql"))  # fmt: skip
    assert found[2:] == [(each.text, each.line, each.column - 3 * (each.line == 1)) for each in expected[2:]]
    assert len(found) == len(expected)


def test_much_of_what_is_no_data_comes_back_out_of_a_file() -> None:
    rows = b"insert into t values (1);\n" * 100_000
    statements = iter(Splitter(Feed(cut(b"copy t from stdin;\n" + rows, 70_000)), DIALECTS["postgresql"], source="s"))
    first = next(statements)
    assert first.copy_data is not None
    assert first.copy_data.skip() is None
    assert [each.line for each in statements] == list(range(2, 100_002))


def test_data_that_were_read_are_not_taken_for_sql() -> None:
    statements = iter(Splitter(Feed([b"copy t from stdin;\n1\n2\n"]), DIALECTS["postgresql"], source="s.sql"))
    first = next(statements)
    assert first.copy_data is not None
    assert first.copy_data.read(2) == b"1\n"
    with pytest.raises(QueryError, match="the data of this COPY do not end"):
        first.copy_data.skip()


def test_sql_behind_a_copy_in_an_argument_is_given_as_another_one() -> None:
    apart = Stream(Feed([b"1\n"]), "standard input")
    script = b"copy t from stdin csv; select 1"
    with pytest.raises(QueryError, match=r"s.sql:1:24: the data of COPY come from standard input, .* its own"):
        list(Splitter(Feed([script]), DIALECTS["postgresql"], source="s.sql", copy_input=apart))
