"""Single moments in a pool's life: a deadline that passes, a cold start, a server's return."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.pool_loads import use_postgres
from benchmarks.pool_subjects import Subject, Wish, make_subject

_WAITERS = 32
_COLD_THREADS = 10
_PATIENCE = 30.0


def measure_overruns(
    name: str, wish: Wish, disturb: Callable[[threading.Event], None] | None, *, rounds: int
) -> Sequence[float]:
    """Return by how many seconds callers of a full pool were let go after their deadline, or before it (negative).

    All of them wait at once, each round anew; meanwhile as many other threads do as `disturb` says.
    """
    subject = make_subject(name, wish)
    overruns = array("d")

    def wait(together: threading.Barrier) -> None:
        together.wait()
        started = time.monotonic()
        try:
            with subject.borrow():
                raise AssertionError("the pool is not full")
        except AssertionError:
            raise
        except Exception:
            overruns.append(time.monotonic() - started - wish.timeout)

    with ExitStack() as holding:
        for _ in range(wish.size):
            holding.enter_context(subject.borrow())
        with _disturbed(disturb):
            for _ in range(rounds):
                _run_together(_WAITERS, wait)
    subject.close()
    return overruns


@contextmanager
def _disturbed(disturb: Callable[[threading.Event], None] | None) -> Iterator[None]:
    stop = threading.Event()
    count = 0 if disturb is None else _WAITERS
    workers = [threading.Thread(target=disturb, args=(stop,), daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def do_io(stop: threading.Event) -> None:
    """Wait for a millisecond over and over, as for a database."""
    while not stop.is_set():
        time.sleep(0.001)


def compute(stop: threading.Event) -> None:
    """Keep the interpreter busy."""
    while not stop.is_set():
        sum(range(1000))


def _run_together(count: int, work: Callable[[threading.Barrier], None]) -> None:
    together = threading.Barrier(count)
    threads = [threading.Thread(target=work, args=(together,), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure_cold_start(name: str, wish: Wish) -> float:
    """Return the seconds until ten threads that came at once all hold a connection of an empty pool."""
    subject = make_subject(name, wish)
    started: list[float] = []
    held = array("d")
    everybody = threading.Barrier(_COLD_THREADS)

    def take(together: threading.Barrier) -> None:
        together.wait()
        started.append(time.perf_counter())
        with subject.borrow():
            held.append(time.perf_counter())
            everybody.wait()

    _run_together(_COLD_THREADS, take)
    subject.close()
    return max(held) - min(started)


def measure_return(name: str, wish: Wish, server: Any, *, away: float) -> float | None:
    """Return the seconds from a server's return until a caller who kept asking was served; None: not in time."""
    subject = make_subject(name, wish)
    with subject.borrow() as connection:
        use_postgres(connection)
    served = threading.Event()
    is_back = threading.Event()
    server.kill()
    worker = threading.Thread(target=_ask_until_served, args=(subject, is_back, served), daemon=True)
    worker.start()
    time.sleep(away)
    server.start()
    started = time.perf_counter()
    is_back.set()
    is_served = served.wait(_PATIENCE)
    seconds = time.perf_counter() - started
    # One that hangs is left to hang.
    if is_served:
        worker.join()
        subject.close()
    return seconds if is_served else None


def _ask_until_served(subject: Subject, is_back: threading.Event, served: threading.Event) -> None:
    while not served.is_set():
        try:
            with subject.borrow() as connection:
                use_postgres(connection)
        except Exception:
            time.sleep(0.01)
        else:
            # Before that it is an answer of the server's from before it went.
            if is_back.is_set():
                served.set()
            time.sleep(0.001)
