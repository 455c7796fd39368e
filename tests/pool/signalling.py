"""Borrowers that a signal's handler interrupts at random moments, and the check of what the next one gets.

Unlike `interrupting`, the moments may lie in the driver's code and in peewee's.
"""

from __future__ import annotations

import contextlib
import ctypes
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from pymysql.constants import SERVER_STATUS

Load = Callable[[Any], object]


class TimeUpError(Exception):
    """What a task's time limit raises."""


class WrongAnswerError(AssertionError):
    """A statement was given another's answer."""


def ask(pool: Any, number: int) -> None:
    """Ask for a number; raises WrongAnswerError if another is given."""
    rows = list(pool.execute_sql(f"SELECT {number}").fetchall())
    if rows != [(number,)]:
        raise WrongAnswerError(f"asked for {number}, got {rows}")


def _use_a_transaction(pool: Any) -> None:
    with pool.atomic():
        ask(pool, 1)
        ask(pool, 2)


def _use_savepoints(pool: Any) -> None:
    with pool.atomic():
        pool.execute_sql("INSERT INTO ours VALUES (1)")
        with pool.atomic():
            ask(pool, 3)
            with pool.atomic() as inner:
                ask(pool, 4)
                inner.rollback()


def _clean_up(pool: Any) -> None:
    try:
        ask(pool, 5)
        ask(pool, 6)
    finally:
        ask(pool, 7)


def _go_on(pool: Any) -> None:
    for number in range(10, 14):
        with contextlib.suppress(KeyboardInterrupt, TimeUpError):
            ask(pool, number)


def _insert_many(pool: Any) -> None:
    mark = "?" if pool.param == "?" else "%s"
    with pool.atomic():
        pool.cursor().executemany(f"INSERT INTO ours VALUES ({mark})", [(number,) for number in range(5)])


def _fail(pool: Any) -> None:
    for number in (8, 9):
        with contextlib.suppress(Exception):
            pool.execute_sql("SELECT * FROM nowhere")
        ask(pool, number)


def _read_a_column(pool: Any) -> None:
    with pool.atomic():
        cursor = pool.execute_sql("SELECT x FROM numbers")
        for number, row in enumerate(iter(cursor.fetchone, None)):
            if row != (number,):
                raise WrongAnswerError(f"row {number} is {row}")


LOADS: dict[str, Load] = {
    "a transaction": _use_a_transaction,
    "savepoints": _use_savepoints,
    "a statement in finally": _clean_up,
    "statements that follow": _go_on,
    "executemany": _insert_many,
    "errors": _fail,
    "many rows": _read_a_column,
}


def prepare(pool: Any) -> None:
    """Make what the loads use."""
    with pool.connection_context():
        pool.execute_sql("CREATE TABLE ours (x int)")
        pool.execute_sql("CREATE TABLE numbers (x int)")
        pool.execute_sql(f"INSERT INTO numbers VALUES {', '.join(f'({number})' for number in range(50))}")


class _Alarm:
    """A signal whose handler raises, but only while somebody says so."""

    is_armed = False

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __call__(self, *_: object) -> None:
        if self.is_armed:
            self.is_armed = False
            raise self.error


@contextlib.contextmanager
def _handling(alarm: _Alarm) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt_often(pool: Any, load: Load, error: type[BaseException], times: int, *, seed: int) -> int:
    """Interrupt a load at random moments, and check the next borrower after each; count what was interrupted."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    started = time.perf_counter()
    for _ in range(3):
        _borrow(pool, load)
    usual = (time.perf_counter() - started) / 3
    alarm, interrupted = _Alarm(error), 0
    with _handling(alarm):
        for number in range(times):
            try:
                alarm.is_armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, usual))
                _borrow(pool, load)
                alarm.is_armed = False
            except WrongAnswerError:
                raise
            except BaseException:
                interrupted += not alarm.is_armed
                alarm.is_armed = False
            check_next_borrower(pool, 1000 + 10 * number)
    return interrupted


def _borrow(pool: Any, load: Load) -> None:
    with pool.connection_context():
        load(pool)


def check_next_borrower(pool: Any, number: int) -> None:
    """Check that a new borrower has no transaction, and is given the answers to its own questions."""
    while not pool.is_closed():
        with contextlib.suppress(Exception):
            # What the interrupted one has not closed.
            pool._state.transactions.clear()
            pool.close()
    with pool.connection_context() as connection:
        for asked in range(number, number + 3):
            ask(pool, asked)
        assert not is_in_transaction(connection)


def is_in_transaction(connection: Any) -> bool:
    """Ask the server, or the library, whether a transaction is open."""
    if hasattr(connection, "server_status"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return bool(connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)
    if hasattr(connection, "in_transaction"):
        return bool(connection.in_transaction)
    if hasattr(connection, "pgconn"):
        return int(connection.pgconn.transaction_status) != 0
    return int(connection.get_transaction_status()) != 0


def interrupt_thread(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raise in another thread, as task queues do that limit the time of their tasks."""
    identifier = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identifier, ctypes.py_object(error))
