"""The exit statuses, and which error ends with which."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from dbtool import errors


class ExitStatus(IntEnum):
    """What a script can tell from `$?`."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Make a member of a number and its meaning."""
        status = int.__new__(cls, value)
        status._value_ = value
        status.meaning = meaning
        return status

    DONE = 0, "Everything that was asked for is done."
    SQL_FAILED = 1, "The SQL failed, or the connection was lost after a statement was sent: its effect is unknown."
    USAGE = 2, "The request cannot work: usage, profile, secret, wrong password, unknown database, TLS."
    CANNOT_CONNECT = 3, "No connection, and a later attempt may work: refused, unreachable, starting up, too many."
    TIMED_OUT = 4, "Out of time: `--timeout`, or the server's statement timeout."
    UNEXPECTED_RESULT = 5, "An expectation failed (`--expect-rows`, `--expect-value`), or a pool (a gate, `--fail-if`)."
    REFUSED = 6, "A guard refused: protected, read-only (also the server's own), an unconfirmed write."
    INTERNAL = 70, "A fault in dbtool; `--debug` shows where."
    OUTPUT_FAILED = 74, "The output could not be written."
    HUNG_UP = 129, "Stopped by SIGHUP (the terminal is gone); the running statement was cancelled on the server."
    INTERRUPTED = 130, "Stopped by SIGINT (Ctrl-C); the running statement was cancelled on the server."
    READER_GONE = 141, "The reader of the output closed it (`| head`); the running statement was cancelled."
    TERMINATED = 143, "Stopped by SIGTERM; the running statement was cancelled on the server."


_SIGNALLED = 128
"""What a shell adds to a signal's number to make an exit status."""

_BY_KIND: tuple[tuple[type[errors.DbtoolError], ExitStatus], ...] = (
    (errors.ReaderGoneError, ExitStatus.READER_GONE),
    (errors.OutputError, ExitStatus.OUTPUT_FAILED),
    (errors.GuardError, ExitStatus.REFUSED),
    (errors.ExpectationError, ExitStatus.UNEXPECTED_RESULT),
    (errors.TimedOutError, ExitStatus.TIMED_OUT),
    (errors.PoolTimeoutError, ExitStatus.CANNOT_CONNECT),
    (errors.QueryError, ExitStatus.SQL_FAILED),
    (errors.ProfileError, ExitStatus.USAGE),
    (errors.UsageError, ExitStatus.USAGE),
)


_WORST_FIRST = (
    ExitStatus.INTERNAL,
    ExitStatus.SQL_FAILED,
    ExitStatus.USAGE,
    ExitStatus.REFUSED,
    ExitStatus.UNEXPECTED_RESULT,
    ExitStatus.CANNOT_CONNECT,
)
"""Which of the failures of several profiles a command ends with, where they are not all the same."""


def status_of(error: errors.DbtoolError) -> ExitStatus:
    """Return the status that a command ends with when `error` ended it."""
    if isinstance(error, errors.TargetsFailedError):
        statuses = [status_of(failure) for failure in error.failures]
        return (
            statuses[0] if len({*statuses}) == 1 else next(one for one in (*_WORST_FIRST, *statuses) if one in statuses)
        )
    if isinstance(error, errors.InterruptedByUserError):
        return next(status for status in ExitStatus if status.value == _SIGNALLED + error.signal_number)
    if isinstance(error, errors.ConnectionFailedError):
        return ExitStatus.CANNOT_CONNECT if error.transient else ExitStatus.USAGE
    return next((status for kind, status in _BY_KIND if isinstance(error, kind)), ExitStatus.INTERNAL)
