"""Wide rows are held a few at a time, narrow ones many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dbtool.engines.batches import BatchSize
from dbtool.formats import FORMATS, FormatOptions
from dbtool.result import Row
from dbtool.run.results import Results, Wanted
from dbtool.run.sources import from_arguments
from tests.engines.rendering import Memory, make_runner, open_on
from tests.servers.database import DatabaseAddress


class Watching(Results):
    """Remembers how much came at a time."""

    def __init__(self, limit: int | None) -> None:
        super().__init__(Memory(), FORMATS["value"], FormatOptions(), Wanted(limit=limit))
        self.batches: list[tuple[int, int]] = []

    def write_rows(self, rows: Sequence[Row]) -> None:
        self.batches.append((len(rows), sum(len(value) for row in rows for value in row if isinstance(value, str))))
        super().write_rows(rows)


SERIES = {
    "sqlite": "with recursive s (n) as (select 1 union all select n + 1 from s where n < 3000) select {} as a from s",
    "postgresql": "with s (n) as (select generate_series(1, 3000)) select {} as a from s",
}
WIDE = {"sqlite": "printf('%.*c', 100000, 'x')", "postgresql": "repeat('x', 100000)"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> DatabaseAddress | Path:
    found: DatabaseAddress | Path = request.getfixturevalue(f"{request.param}_database")
    return found


def watch(database: DatabaseAddress | Path, expression: dict[str, str] | str, limit: int | None) -> Watching:
    scheme = "sqlite" if isinstance(database, Path) else database.scheme
    sql = SERIES[scheme].format(expression if isinstance(expression, str) else expression[scheme])
    results = Watching(limit)
    with open_on(database) as session:
        make_runner(session, results).run(from_arguments([sql]))
    assert results.rows == (limit or 3000)
    return results


def test_wide_rows_come_a_few_at_a_time(database: DatabaseAddress | Path) -> None:
    batches = watch(database, WIDE, 300).batches
    assert max(size for _count, size in batches) <= 2_100_000


def test_narrow_rows_come_many_at_a_time(database: DatabaseAddress | Path) -> None:
    batches = watch(database, "n", 2900).batches
    assert len(batches) <= 20


def test_a_size_follows_the_widest_rows_and_grows_by_steps() -> None:
    size = BatchSize(1, 250, 1 << 18)
    seen = []
    for width in (10, 10, 10, 10, 100_000, 100_000, 1_000_000, 10, 10):
        seen.append(size.rows)
        size.adapt([("x" * width, None, 7)] * size.rows)
    assert seen == [1, 8, 64, 250, 250, 2, 2, 1, 8]


def test_a_row_without_columns_has_no_width() -> None:
    size = BatchSize(1, 250, 1 << 18)
    size.adapt([()])
    assert size.rows == 8
