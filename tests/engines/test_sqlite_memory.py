"""SQLite's own limit of memory is the statement's error, and no fault of dbtool."""

from __future__ import annotations

import pytest

from tests.cli.running import MEMORY, run_dbtool


@pytest.mark.parametrize("more", [(), ("-1",), ("--keep-going",), ("--write",)])
@pytest.mark.parametrize(
    "script", ["pragma hard_heap_limit = 100000; select length(randomblob(9000000))", "pragma hard_heap_limit = 1"]
)
def test_a_limit_that_is_reached_fails_the_statement(script: str, more: tuple[str, ...]) -> None:
    done = run_dbtool("query", *MEMORY, *more, "-F", "ndjson", script)
    assert done.status == 1
    assert "out of memory: see PRAGMA hard_heap_limit [SQLITE_NOMEM]" in done.err
    assert "a fault in dbtool" not in done.err
