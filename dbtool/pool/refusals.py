"""Why a caller gets no connection, in words."""

from __future__ import annotations

from collections.abc import Callable

from dbtool.pool.errors import PoolClosedError, PoolTimeout, PoolUnreachableError
from dbtool.pool.ledger import Ledger


class Refusals:
    """Makes the errors of one pool; each names the pool and says how full it is."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock

    def make_closed(self) -> PoolClosedError:
        """Make the error of a pool that was shut down."""
        return PoolClosedError(self._name("the pool was shut down"))

    def refuse_if_closed(self) -> None:
        """Raise if the pool was shut down."""
        if self._ledger.is_closed:
            raise self.make_closed()

    def make(self, reason: str) -> Exception:
        """Make the error that says whether the pool is full or the server out of reach."""
        with self._ledger.lock:
            failure = self._ledger.failure
            is_full = len(self._ledger.leases) >= self._ledger.limit
            is_empty = not self._ledger.leases
        text = f"{reason}: {self._ledger.describe(self._clock)}"
        if failure is not None and not is_full:
            error = PoolUnreachableError(self._name(f"{text}; {failure.error}"), transient=not failure.is_permanent)
            error.__cause__ = failure.error
            return error
        if is_empty:
            return PoolUnreachableError(self._name(f"{text}; the server does not answer"), transient=True)
        return PoolTimeout(self._name(f"{text}; raise max_connections, or hold connections for less time"))

    def _name(self, text: str) -> str:
        return f"{self._ledger.options.name or 'pool'}: {text}"
