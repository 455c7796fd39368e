"""The exit statuses, and which error ends with which."""

from __future__ import annotations

import signal
from enum import IntEnum

from dbtool import errors


class ExitStatus(IntEnum):
    """What a script can tell from `$?`."""

    DONE = 0
    SQL_FAILED = 1
    USAGE = 2
    CANNOT_CONNECT = 3
    TIMED_OUT = 4
    UNEXPECTED_RESULT = 5
    REFUSED = 6
    INTERNAL = 70
    OUTPUT_FAILED = 74
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143


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


def status_of(error: errors.DbtoolError) -> ExitStatus:
    """Return the status that a command ends with when `error` ended it."""
    if isinstance(error, errors.InterruptedByUserError):
        return ExitStatus.TERMINATED if error.signal_number == signal.SIGTERM else ExitStatus.INTERRUPTED
    if isinstance(error, errors.ConnectionFailedError):
        return ExitStatus.CANNOT_CONNECT if error.transient else ExitStatus.USAGE
    return next((status for kind, status in _BY_KIND if isinstance(error, kind)), ExitStatus.INTERNAL)
