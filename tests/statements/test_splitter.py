from __future__ import annotations

import gzip

import pytest

from dbtool.dialects import DIALECTS
from dbtool.errors import Place, QueryError, UsageError
from dbtool.statements import Splitter, split
from tests.statements.feeding import Feed, split_all, texts

EVERY_DIALECT = pytest.mark.parametrize("dialect", list(DIALECTS))


@EVERY_DIALECT
def test_statements_end_at_semicolons_and_the_last_needs_none(dialect: str) -> None:
    assert texts(b"select 1; select 2 ;\r\nselect 3\n", dialect) == [b"select 1", b"select 2", b"select 3"]


@EVERY_DIALECT
@pytest.mark.parametrize(
    "script", [b"", b";;", b" ;\n;", b"-- only; a comment", b"/* only; a comment */;", b"\xef\xbb\xbf"]
)
def test_scripts_without_sql_hold_no_statement(dialect: str, script: bytes) -> None:
    assert texts(script, dialect) == []


@EVERY_DIALECT
@pytest.mark.parametrize(
    "statement",
    [
        b"select 'a;b', 'it''s;', ''",
        b'select "a;b" from "x"";y"',
        b"select 1 -- no; end\n + 1",
        b"select 1 /* no; 'end */ + 1",
        b"select 1-1, 4/2, -1, 2*3",
        b"select /**/ 1",
        b"select /*/ ; */ 1",
        b"insert into t values ('\x00\xff;')",
        b"select \x00 1",
        b"select 1 -- at the end;",
        b"insert into t values (1, 'a;''', -2) -- x;\n",
    ],
)
def test_quotes_and_comments_hide_semicolons(dialect: str, statement: bytes) -> None:
    assert texts(statement + b"\n; select 2;", dialect) == [statement.rstrip(), b"select 2"]


@EVERY_DIALECT
@pytest.mark.parametrize("before", [b"select", b"insert into t"])
def test_a_comment_ends_at_a_carriage_return_where_the_server_ends_it_there(dialect: str, before: bytes) -> None:
    cut = texts(before + b" 1 -- a\r; select '2'--\r\n; select 3", dialect)
    ends = [before + b" 1 -- a", b"select '2'--"] if dialect == "postgresql" else [before + b" 1 -- a\r; select '2'--"]
    assert cut == [*ends, b"select 3"]


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("sqlite", b"select [a;'b]"),
        ("sqlite", b"select `a;'b`"),
        ("sqlite", rb"select 'a\', ';'"),
        ("postgresql", rb"select 'a\', ';'"),
        ("postgresql", rb"select E'a\';\\', ';'"),
        ("postgresql", rb"select e'a'';\';'"),
        ("postgresql", b"select E'a'\n  ';\\';'"),
        ("postgresql", b"select E'a' -- gap;\n -- gap'\n ';\\';'"),
        ("postgresql", rb"select E'a' ';\' , ';'"),
        ("postgresql", rb"select type'a\', ';'"),
        ("postgresql", rb"select U&'d\0061t\+000061;', ';'"),
        ("postgresql", rb"select U&'a\', ';'"),
        ("postgresql", b"select $$a;'b$$, $x$ $$ ; $y$ $x$"),
        ("postgresql", "select $é$;$é$".encode()),
        ("postgresql", b"select $1, $2 || ';'"),
        ("postgresql", b"select a$b$c, ';', d$b$"),
        ("postgresql", b"select /* a /* b; */ c; */ 1"),
        ("postgresql", b"select 1 # 2, arr[1:2]"),
        ("postgresql", b"select 1 # '; '"),
        ("mysql", rb"select 'a\';\\', ';'"),
        ("mysql", rb"""select "a\";\\", ";" """.rstrip()),
        ("mysql", b"select `a\\`, ';'"),
        ("mysql", b"select `a``;`, ';'"),
        ("mysql", b"select 1 # no; end\n + 1"),
        ("mysql", b"select 1 --\n + 1"),
        ("mysql", b"select 1 --\t; no end\n + 1"),
        ("mysql", b"select 1 --- ; no end\n + 1"),
        ("mysql", b"select /* a /* b; */ 1"),
        ("mysql", b"select /*+ NO_INDEX(t) ; */ 1"),
        ("mysql", rb"select \N, 1"),
        ("mysql", b"/*!50003 select 1; */"),
        ("mysql", b"/*!50003 create procedure p() begin select '*/;'; /* x */ end */"),
        ("mysql", b"select 1 /*! + 2*/*3"),
        ("mysql", b"/*!50003 a /*!40000 b */ ; c */"),
        ("mysql", b"/*! select 1 -- it's */ \n ; */ + 2"),
        ("mariadb", b"/*M!100100 select 1; */"),
    ],
)
def test_each_dialect_has_quotes_and_comments_of_its_own(dialect: str, statement: bytes) -> None:
    assert texts(statement + b"; select 2;", dialect) == [statement, b"select 2"]


@pytest.mark.parametrize("script", [b"select 1--2;select 3", b"select 1--2;\nselect 3", b"select 1 --x;select 3"])
def test_mysql_dashes_without_a_blank_are_operators(script: bytes) -> None:
    assert texts(script, "mysql") == [script.split(b";")[0], b"select 3"]


def test_a_comment_for_mariadb_alone_is_a_plain_comment_for_mysql() -> None:
    assert texts(b"/*M!100100 set x = 1 */; select 2", "mysql") == [b"/*M!100100 set x = 1 */", b"select 2"]


def test_comments_before_a_statement_are_left_out_but_a_hint_stays() -> None:
    script = b"-- a\n/* b */ select 1; /*+ SeqScan(t) */ -- c\nselect 2; /*+ nothing */; select 3"
    assert texts(script, "postgresql") == [b"select 1", b"/*+ SeqScan(t) */ -- c\nselect 2", b"select 3"]


def test_a_hint_is_where_its_statement_starts() -> None:
    first, second = split_all(b"select 1;\n  /*+ x */ /* y\n */ select 2", "postgresql", 1)
    assert (second.line, second.column, second.words) == (2, 3, ("SELECT",))
    assert first.words == ("SELECT",)


@pytest.mark.parametrize(
    "trigger",
    [
        b"create trigger t after insert on x begin select 1; update x set a = case when b then 1 else 2 end; end",
        b"CREATE TEMP TRIGGER IF NOT EXISTS t AFTER INSERT ON x BEGIN SELECT 'end;'; END",
        b"create temporary trigger t after insert on x begin select 1; -- end;\n end /* ; */",
        b"create /* c */ trigger [end;] after insert on x begin delete from x; End",
        b"explain query plan create temp trigger t after insert on x begin select 1; end",
        b"explain create trigger t after insert on x begin select 1; end",
    ],
)
def test_a_sqlite_trigger_ends_at_its_own_end(trigger: bytes) -> None:
    assert texts(trigger + b"; select 2;", "sqlite") == [trigger, b"select 2"]


def test_other_sqlite_statements_with_those_words_end_at_the_first_semicolon() -> None:
    assert texts(b"create table trigger_(a); begin; end; drop trigger t; select 2", "sqlite") == [
        b"create table trigger_(a)",
        b"begin",
        b"end",
        b"drop trigger t",
        b"select 2",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        b"create function f() returns int begin atomic select 1; select case when 1 = 1 then 2 end; end",
        b"CREATE OR REPLACE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES ('end;'); END",
        b"create function f() returns int begin /* x */ atomic select $$end;$$; -- end;\n end",
        b"create rule r as on insert to t do also (select 1; select ')';)",
        b"CREATE OR REPLACE RULE r AS ON INSERT TO t DO INSTEAD (SELECT (1); SELECT 2)",
        b"create rule r as on insert to t do nothing",
        b"create function f() returns int language sql return 1",
        b"create function f() returns void language plpgsql as $$begin x; end;$$",
        b"create function begin() returns int language sql as 'select 1;'",
        b"create function f(out begin atomic) language sql as 'select 1'",
        b"create function f() returns int return (select begin atomic from (select 1 begin) x)",
        b"create function f() returns int begin atomic select (select begin atomic from x); select (case); end",
        b"create function f() returns int begin atomic select x.end, x . case from x; select 1 as end; end",
        b"create function f() returns int begin atomic begin select 1; end; end",
    ],
)
def test_postgresql_bodies_hold_whole_statements(statement: bytes) -> None:
    assert texts(statement + b"; select 2;", "postgresql") == [statement, b"select 2"]


def test_a_missing_parenthesis_does_not_swallow_the_statements_after_it() -> None:
    assert texts(b"select (1; select 2;", "postgresql") == [b"select (1", b"select 2"]


@EVERY_DIALECT
def test_a_byte_order_mark_is_skipped_at_the_very_start_only(dialect: str) -> None:
    for size in (1, 2, 100):
        (statement,) = split_all(b"\xef\xbb\xbfselect 1", dialect, size)
        assert (statement.text, statement.column) == (b"select 1", 1)
    assert texts(b"\xef\xbbselect 1", dialect) == [b"\xef\xbbselect 1"]
    assert texts(b"select 1;\xef\xbb\xbfselect 2", dialect)[1] == b"\xef\xbb\xbfselect 2"


@pytest.mark.parametrize(
    ("dialect", "script", "line", "column", "what"),
    [
        ("sqlite", b"select 1;\n select 'a", 2, 9, "string"),
        ("sqlite", b'select "a', 1, 8, "quoted name"),
        ("sqlite", b"\n\n/* a", 3, 1, "comment"),
        ("sqlite", b"insert into t values ('a);", 1, 23, "string"),
        ("postgresql", b"select /* a /* b */", 1, 8, "comment"),
        ("postgresql", b"select 1; do $x$ $y$ $$", 1, 14, "string"),
        ("postgresql", rb"select E'a\'", 1, 9, "string"),
        ("mysql", rb"select 'a\'", 1, 8, "string"),
        ("mysql", b"select 1 + /*! 2 ;", 1, 12, "comment"),
        ("mysql", b"select `a", 1, 8, "quoted name"),
    ],
)
def test_a_quote_without_an_end_is_an_error_where_it_starts(
    dialect: str, script: bytes, line: int, column: int, what: str
) -> None:
    for size in (1, 100):
        with pytest.raises(QueryError, match=f"s.sql:{line}:{column}: the {what} that starts here") as raised:
            split_all(script, dialect, size)
        assert raised.value.place == Place("s.sql", line, column)


def test_an_earlier_comment_is_not_taken_for_the_one_without_an_end() -> None:
    with pytest.raises(QueryError, match=r"s.sql:1:9: the comment"):
        split_all(b"/* a */ /* b", "sqlite", 1)


@pytest.mark.parametrize(
    ("dialect", "first", "second", "expected"),
    [
        ("postgresql", b"select 1; select E'a'", b"'\\'; '; x", [b"select E'a''\\'; '", b"x"]),
        ("postgresql", b"select 1; /*+ y */", b" select 2; x", [b"/*+ y */ select 2", b"x"]),
        (
            "sqlite",
            b"select 1; create trigger t after insert on x begin select 1;",
            b" end; x",
            [b"create trigger t after insert on x begin select 1; end", b"x"],
        ),
    ],
)
def test_what_was_seen_of_a_statement_is_still_known_when_earlier_ones_leave_the_buffer(
    dialect: str, first: bytes, second: bytes, expected: list[bytes]
) -> None:
    found = [each.text for each in Splitter(Feed([first, second]), DIALECTS[dialect], source="s.sql")]
    assert found == [b"select 1", *expected]


def test_a_statement_comes_before_any_further_read() -> None:
    feed = Feed([b"select ", b"1;", b" select 2", b";\n"])
    statements = iter(Splitter(feed, DIALECTS["sqlite"], source="s.sql"))
    assert next(statements).text == b"select 1"
    assert feed.reads == 2
    assert next(statements).text == b"select 2"
    assert feed.reads == 4


@pytest.mark.parametrize("dialect", list(DIALECTS))
@pytest.mark.parametrize("line", [b"/*!1*/;\n", b"a$b;\n", b"insert into t values (1);\n", b"delete;", b"s;", b"e';';"])
def test_a_line_with_a_terminator_needs_no_second_line(dialect: str, line: bytes) -> None:
    feed = Feed([line])
    next(iter(Splitter(feed, DIALECTS[dialect], source="s.sql")), None)
    assert feed.reads == (2 if line.startswith(b"/*") and dialect in {"sqlite", "postgresql"} else 1)


def test_pending_tells_whether_a_line_ends_inside_a_statement() -> None:
    states: list[bool] = []
    lines = iter([b"select 1\n", b", 'a\n", b"';\n", b"/* a\n", b"*/\n", b"-- x\n", b""])

    def read() -> bytes:
        states.append(splitter.pending)
        return next(lines)

    splitter = Splitter(read, DIALECTS["sqlite"], source="s.sql")
    assert len(list(splitter)) == 1
    assert states == [False, True, True, False, True, False, False]


def test_the_place_of_a_character_counts_code_points_over_lines() -> None:
    statements = split_all("select 'é'; select 'ü',\n  bad\n from x".encode(), "postgresql")
    statement = statements[1]
    assert statement.place() == Place("s.sql", 1, 13)
    assert statement.place(8) == Place("s.sql", 1, 21)
    assert statement.place(statement.text.decode().index("bad")) == Place("s.sql", 2, 3)
    assert str(statement.place(17)) == "s.sql:2:6"


def test_split_is_the_short_way() -> None:
    assert [statement.text for statement in split(Feed([b"a;b"]), DIALECTS["sqlite"], source="x")] == [b"a", b"b"]


def test_words_skip_comments_and_enter_executable_ones() -> None:
    def words(script: bytes, dialect: str) -> tuple[str, ...]:
        (statement,) = split_all(script, dialect)
        return statement.words

    assert words(b"create -- c\n or/**/replace temporary table x", "mysql") == (
        "CREATE",
        "OR",
        "REPLACE",
        "TEMPORARY",
        "TABLE",
        "X",
    )
    assert words(b"/*!40000 ALTER TABLE `t` DISABLE KEYS */", "mysql") == ("ALTER", "TABLE")
    assert words(b"/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ x", "mysql") == ("CREATE", "DEFINER", "=")
    assert words(b"set @@session.autocommit = 0", "mysql") == ("SET", "@@SESSION.AUTOCOMMIT", "=")
    assert words(b"select pg_catalog.set_config('a', '', false)", "postgresql") == (
        "SELECT",
        "PG_CATALOG.SET_CONFIG",
        "(",
    )
    assert words(b"(select -1)", "postgresql") == ("(", "SELECT", "-")
    assert words(b'select "FROM"', "postgresql") == ("SELECT",)
    assert words(b"rollback /* a /* b */ c */ to x", "postgresql") == ("ROLLBACK", "TO", "X")
    assert words(b"insert into t values (1)", "sqlite") == ("INSERT", "INTO", "T", "VALUES", "(")
    assert words("sélect 1".encode(), "sqlite") == ("SÉLECT",)
    assert words(b"select " + b" " * 300 + b"x", "sqlite") == ("SELECT", "X")


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PGDMP\x01\x0e\x00\x04\x08", r"custom format, not SQL: pg_restore -f - FILE \| dbtool query -"),
        (b"toc.dat" + bytes(100), "tar format, not SQL: pg_restore"),
        (gzip.compress(b"select 1;\n", mtime=0), r"compressed by gzip, not SQL: gzip -dc FILE \| dbtool query -"),
        (b"\x28\xb5\x2f\xfd\x04\x00;\n", "zstd -dc"),
        (b"\xfd7zXZ\0\0\x04", "xz -dc"),
        (b"BZh91AY&SY;\n", "bzip2 -dc"),
        (b"\x04\x22\x4d\x18;", "lz4 -dc"),
        (b"PK\x03\x04;\n", "unzip -p"),
        (b"SQLite format 3\0\x10\0;", "an SQLite database, not SQL: name it with --profile"),
        ("select 1;\n".encode("utf-16"), r"text in UTF-16, not SQL: iconv -f UTF-16 -t UTF-8 FILE \| dbtool query -"),
        (b"\xfe\xff" + "select 1;\n".encode("utf-16-be"), "iconv -f UTF-16 -t"),
        ("select 1;\n".encode("utf-16-le"), "iconv -f UTF-16LE -t"),
        ("select 1;\n".encode("utf-16-be"), "iconv -f UTF-16BE -t"),
        ("select 1;\n".encode("utf-32"), "iconv -f UTF-32 -t"),
    ],
)
def test_a_file_that_is_no_sql_is_called_what_it_is(content: bytes, said: str, size: int) -> None:
    for dialect in ("postgresql", "mysql", "sqlite"):
        with pytest.raises(UsageError, match=rf"s\.sql: it is .*{said}"):
            split_all(content, dialect, size)


def test_sql_that_begins_as_another_kind_of_file_does_is_sql() -> None:
    for script in (b"PGDM", b"BZh select", b"toc.dat", b"PK", b"SQLite format 3", b"P", b"BZh9;"):
        assert texts(script, "sqlite") == [script.rstrip(b";")]
