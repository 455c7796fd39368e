"""What `dbtool run` does: run a saved query as `dbtool query` runs SQL, or list what there is."""

from __future__ import annotations

import time

from dbtool.cli.query.lists import describe_query, make_source
from dbtool.cli.query.request import QueryOptions, build_request, run_request
from dbtool.cli.terminal.listing import print_listing, text_columns
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.profiles import load_catalog


def run_saved(environment: Environment, asked: QueryOptions, *, name: str | None) -> None:
    """Run a saved query, or list them all; raises DbtoolError."""
    started = time.monotonic()
    catalog = load_catalog(environment, config=asked.config)
    if name is None:
        if asked.param or asked.output:
            raise UsageError("-v and -o go with a query's name: dbtool run alone lists the names")
        rows = [describe_query(query) for query in catalog.queries.values()]
        print_listing(
            environment, text_columns("query description source problem"), rows, format_name=asked.format_name
        )
        return
    request = build_request(environment, asked, [make_source(catalog.get_query(name))])
    # Also without -v: what looks like a parameter in a saved query is one.
    run = request.run.replaced(parameters=request.run.parameters or {})
    run_request(environment, asked, request.replaced(run=run), started)
