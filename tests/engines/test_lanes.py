from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbtool.engines.postgres.rows import SentQuery, hold_rows
from dbtool.formats import FORMATS, FormatOptions
from dbtool.run.results import Results
from dbtool.run.session import Session
from tests import scale
from tests.engines.rendering import Memory, open_on, render
from tests.servers.database import DatabaseAddress, count_up

FORMAT_NAMES = ["csv", "tsv", "json", "ndjson", "table", "markdown", "vertical"]
NASTY = [
    "",
    "\\N",
    "\\.",
    "\\",
    "a\tb",
    "a\nb",
    "a\r\nb",
    '"',
    "a,b",
    " ",
    "NULL",
    "\u00e9",
    "\U0001f600",
    "\b\f\v\x01",
]


def quote(text: str | None, scheme: str) -> str:
    if text is None:
        return "NULL"
    quoted = "'" + text.replace("'", "''") + "'"
    return quoted.replace("\\", "\\\\") if scheme == "mysql" else quoted


def select_all(rows: list[tuple[str | None, ...]], scheme: str) -> str:
    return " UNION ALL ".join(
        f"SELECT {number} AS n, " + ", ".join(f"{quote(cell, scheme)} AS c{at}" for at, cell in enumerate(row))
        for number, row in enumerate(rows)
    )


def render_held(session: Session, sql: str, format_name: str) -> bytes:
    """Render a query whose rows the driver holds."""
    output = Memory()
    results = Results(output, FORMATS[format_name], FormatOptions())
    results.expect(muted=False)
    hold_rows(session.connection._raw.cursor(), SentQuery(sql.encode(), b"", False), results)  # type: ignore[attr-defined]
    results.flush()
    results.finish()
    results.close()
    assert output.data is not None
    return bytes(output.data)


@pytest.mark.parametrize("format_name", FORMAT_NAMES)
def test_the_three_ways_out_of_postgresql_write_the_same(format_name: str, postgres_database: DatabaseAddress) -> None:
    nasty: list[tuple[str | None, ...]] = [(text, None, text * 3) for text in NASTY]
    typed = (
        "SELECT g, g::numeric / 7, g / 7.0::float8, '2020-01-01 12:34:56+02'::timestamptz + g * interval '1 day',"
        " g % 2 = 0, jsonb_build_object('a', g), array[g, null], decode('00ff', 'hex'), null::text, '' AS empty,"
        " '12:00+05:30'::timetz, row(g, 'x') FROM generate_series(1, 2500) AS g ORDER BY g"
    )
    with open_on(postgres_database) as session:
        for sql in (select_all(nasty, "postgresql") + " ORDER BY 1", typed, "SELECT 1 AS a WHERE false", "SELECT"):
            copied = render(session, sql, format_name)
            assert render(session, sql, format_name, limit=1_000_000) == copied
            assert render_held(session, sql, format_name) == copied
            inside = render(session, f"BEGIN; {sql}; COMMIT", format_name)
            assert inside == copied


def test_a_single_column_of_every_nasty_text_is_the_same_on_each_way(postgres_database: DatabaseAddress) -> None:
    values = ", ".join(f"({quote(text, 'postgresql')})" for text in NASTY)
    with open_on(postgres_database) as session:
        for format_name in ("csv", "tsv", "value", "json"):
            sql = f"SELECT * FROM (VALUES {values}, (NULL)) AS v (a)"
            copied = render(session, sql, format_name)
            assert render(session, sql, format_name, limit=1_000_000) == copied
            assert render_held(session, sql, format_name) == copied


@pytest.mark.parametrize("format_name", FORMAT_NAMES)
def test_blocks_and_rows_of_mariadb_write_the_same(format_name: str, mariadb_database: DatabaseAddress) -> None:
    nasty: list[tuple[str | None, ...]] = [(text, None, text * 3) for text in NASTY]
    typed = (
        "SELECT seq, seq / 7, seq / 7e0, date_add('2020-01-01 12:34:56.5', interval seq day), seq % 2 = 0,"
        " sec_to_time(seq * 1000), null AS nothing, '' AS no_text, repeat(char(9 + seq % 5 using utf8mb4), seq % 4)"
        f" FROM {count_up(2500)} ORDER BY seq"
    )
    lengths = " UNION ALL ".join(
        f"SELECT {length} AS n, repeat('x', {length}) AS a, NULL AS b, repeat('\u00e9', {length}) AS c"
        for length in (0, 1, 125, 126, 250, 251, 252, 65_535, 65_536, 65_537)
    )
    with open_on(mariadb_database) as session:
        for sql in (select_all(nasty, "mysql"), typed, lengths, "SELECT 1 AS a FROM dual WHERE false"):
            blocks = render(session, sql, format_name)
            assert render(session, sql, format_name, limit=1_000_000) == blocks


@pytest.mark.slow
def test_rows_of_more_than_16_mb_pass_whole_among_others(mariadb_database: DatabaseAddress) -> None:
    size = 15 << 20
    sql = (
        "SELECT 1 AS n, 'before' AS a, NULL AS b UNION ALL"
        f" SELECT 2, repeat('x', {size}), repeat('\t', {size}) UNION ALL SELECT 3, '', 'after'"
    )
    with open_on(mariadb_database) as session:
        blocks = render(session, sql, "tsv")
        assert render(session, sql, "tsv", limit=10) == blocks
        assert render(session, "SELECT 4 AS n") == b"n\n4\n"
    assert blocks == b"n\ta\tb\n1\tbefore\t\\N\n2\t%s\t%s\n3\t\tafter\n" % (b"x" * size, b"\\t" * size)


# PostgreSQL knows no NUL, and neither server a lone surrogate.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(st.tuples(st.none() | TEXTS, st.none() | TEXTS), min_size=1, max_size=4)
ON_A_SERVER = settings(
    max_examples=scale.SERVER_ROWS, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def test_any_text_is_the_same_on_every_way(any_database: DatabaseAddress | Path) -> None:
    scheme = "sqlite" if isinstance(any_database, Path) else any_database.scheme
    with open_on(any_database) as session:

        @ON_A_SERVER
        @given(ROWS, st.sampled_from(["csv", "tsv", "json"]))
        def compare(rows: list[tuple[str | None, ...]], format_name: str) -> None:
            sql = select_all(rows, scheme)
            assert render(session, sql, format_name) == render(session, sql, format_name, limit=1_000_000)

        compare()
