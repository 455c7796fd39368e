"""A connection to nothing, as runs use it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from dbtool.dialects import Dialect, Lexical
from dbtool.engines.engine import Engine, Outcome, Request, ServerFacts, SessionSettings, TransactionState
from dbtool.errors import ConnectionFailedError, DbtoolError, QueryError
from dbtool.profiles.model import Target
from dbtool.result import Column, Sink
from dbtool.statements import Statement


class StubConnection:
    """One connection."""

    transaction = TransactionState.NONE
    is_lost = has_hung_up = has_notices = False
    warnings: Sequence[str] = ()

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        self._raw = raw
        self.lexical: Lexical = dialect.lexical

    def run(self, request: Request, sink: Sink) -> Outcome:
        cursor = self._raw.cursor()
        try:
            cursor.execute(request.statement.text.decode())
        except Exception as error:
            raise QueryError(f"{request.statement.place()}: {error}") from error
        rows = cursor.fetchall()
        sink.begin([Column(name) for (name,) in cursor.description])
        sink.write_rows(rows)
        sink.end()
        return Outcome(rows=len(rows), result_sets=1, tag="SELECT")

    def guard(self, statement: Statement) -> None: ...

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def take_notices(self) -> Sequence[str]:
        return ()

    def cancel(self, timeout: float) -> None: ...

    def abandon(self) -> None: ...

    def facts(self) -> ServerFacts:
        return ServerFacts(version="Stub 1.0", tls=None, read_only=False)


def open_connection(target: Target, _settings: SessionSettings) -> Any:
    """Open a connection of the driver."""
    return import_module("stubdriver").connect(host=target.host)


def translate_connect_error(error: BaseException, target: Target) -> DbtoolError:
    """Turn what connecting raised into one of dbtool's errors."""
    if isinstance(error, DbtoolError):
        return error
    return ConnectionFailedError(f"profile {target.name!r}: {target.host}: {error}", transient=True)


def build_engine(dialect: Dialect) -> Engine:
    """Return its record."""
    return Engine(
        dialect=dialect,
        open=open_connection,
        adopt=lambda raw, _target, _settings: StubConnection(raw, dialect),
        translate_connect_error=translate_connect_error,
    )
