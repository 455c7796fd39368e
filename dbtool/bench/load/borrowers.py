"""Threads that borrow one connection each, and keep it until they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dbtool.bench.pools.recipe import BenchPool

_PATIENCE = 10.0
"""Seconds that a borrower gets to end before it is left behind."""


class Holder:
    """One thread with one connection; begins to ask for it at once. The fields are set by that thread."""

    def __init__(
        self, pool: BenchPool, *, work: Callable[[Any], object] = lambda _connection: None, keeps: bool = True
    ) -> None:
        self._pool = pool
        self._work = work
        self._keeps = keeps
        self._settled = threading.Event()
        self._release = threading.Event()
        self.asked = 0.0
        """When it asked, on `time.perf_counter`."""
        self.answered: float | None = None
        """When it got its connection, or an error instead."""
        self.error: Exception | SystemExit | None = None
        self.result: object = None
        """What its work returned."""
        self._thread = threading.Thread(target=self._run, name="bench-borrower", daemon=True)
        self._thread.start()

    @property
    def waited(self) -> float:
        """How many seconds it waited, or has been waiting."""
        return (time.perf_counter() if self.answered is None else self.answered) - self.asked

    @property
    def has_connection(self) -> bool:
        """Say whether it got one, and nothing went wrong since."""
        return self.answered is not None and self.error is None

    def wait(self, seconds: float) -> bool:
        """Wait until it has its connection and its work is done, or it got an error; say whether it has."""
        return self._settled.wait(max(0.0, seconds))

    def let_go(self) -> None:
        """Let the thread give its connection back, and wait for nothing."""
        self._release.set()

    def release(self, patience: float = _PATIENCE) -> bool:
        """Give the connection back; say whether the thread has ended within so many seconds."""
        self._release.set()
        self._thread.join(max(0.0, patience))
        return not self._thread.is_alive()

    def _run(self) -> None:
        self.asked = time.perf_counter()
        try:
            with self._pool.connection() as connection:
                self.answered = time.perf_counter()
                self.result = self._work(connection)
                self._settled.set()
                if self._keeps:
                    self._release.wait()
        except (Exception, SystemExit) as error:  # of a user's pool, which may do anything
            self.error = error
            self.answered = self.answered or time.perf_counter()
        finally:
            self._settled.set()


def borrow_once(pool: BenchPool, work: Callable[[Any], object], *, patience: float = _PATIENCE) -> Any:
    """Borrow on a thread of its own, as a pool may hang, and return what `work` returns.

    Raises what the pool or the work raises, and TimeoutError after `patience` seconds.
    """
    borrower = Holder(pool, work=work, keeps=False)
    if not borrower.wait(patience):
        raise TimeoutError(f"no connection, and no error, within {patience:g} s")
    borrower.release()
    if borrower.error is not None:
        raise borrower.error
    return borrower.result


@contextmanager
def borrowing(
    pool: BenchPool,
    number: int,
    *,
    work: Callable[[Any], object] = lambda _connection: None,
    keeps: bool = True,
    patience: float = _PATIENCE,
) -> Iterator[list[Holder]]:
    """Make a block in which so many threads want a connection each; all give theirs back at its end.

    Those who have not ended `patience` seconds later are left behind.
    """
    borrowers = [Holder(pool, work=work, keeps=keeps) for _ in range(number)]
    try:
        yield borrowers
    finally:
        release_all(borrowers, patience)


def release_all(borrowers: Iterable[Holder], patience: float = _PATIENCE) -> None:
    """Let every borrower give its connection back, within so many seconds for all; none waits for another."""
    borrowers = list(borrowers)
    give_up = time.perf_counter() + patience
    for borrower in borrowers:
        borrower.let_go()
    for borrower in borrowers:
        borrower.release(give_up - time.perf_counter())


def wait_for_all(borrowers: Iterable[Holder], seconds: float) -> bool:
    """Wait until each has its connection or an error; say whether all have."""
    give_up = time.perf_counter() + seconds
    return all(borrower.wait(give_up - time.perf_counter()) for borrower in borrowers)
