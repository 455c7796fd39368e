"""`dbtool query` on several profiles."""

from __future__ import annotations

from dbtool.actions.access import Access
from dbtool.actions.connect import Limits
from dbtool.actions.query import Query, QueryRequest, RunWatch
from dbtool.cli.several.command import SeveralCommand
from dbtool.cli.several.request import SeveralRequest
from dbtool.cli.terminal.rows import RowsRequest
from dbtool.dialects import Dialect
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.run.checking import are_queries
from dbtool.run.sources import Source


def run_on_several(  # noqa: PLR0913 - what the command line says, as its parts use it
    environment: Environment,
    asked: SeveralRequest,
    request: QueryRequest,
    rows: RowsRequest,
    limits: Limits,
    *,
    quiet: bool,
) -> None:
    """Run the query on each profile; raises DbtoolError."""
    if not request.sources:
        raise UsageError("a prompt is for one profile: give the SQL as an argument, or with -f")
    request = request.replaced(sources=[_read_whole(source) for source in request.sources])
    command = SeveralCommand(environment, asked, request, rows, limits, quiet=quiet)
    command.run(_run, writes=lambda dialect: _writes(request, dialect))


def _run(query: Query, access: Access, watch: RunWatch) -> None:
    query.run(access, watch)


def _writes(request: QueryRequest, dialect: Dialect) -> bool:
    return request.writing.write or not are_queries(request.sources, dialect)


def _read_whole(source: Source) -> Source:
    """Return a source that can be read once for each profile; data for a COPY is in none of them."""
    if source.content is None and (source.stream is not None or (source.path and not source.path.is_file())):
        with source.open() as read:
            pieces = []
            while data := read():
                pieces.append(data)
        source = source.replaced(content=b"".join(pieces), stream=None, head=b"")
    return source.replaced(copy_input=None)
