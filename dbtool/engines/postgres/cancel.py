"""PostgreSQL's cancel request, sent without stopping the rest of the process."""

from __future__ import annotations

from typing import Any

import psycopg2
import psycopg2.extensions as driver
from psycopg2 import _psycopg

_REASON_SIZE = 256


def request_cancel(raw: driver.connection) -> None:
    """Ask the server to stop what `raw` runs, on a connection of libpq's own; may hang as long as the network does.

    psycopg2's own `cancel` keeps the interpreter's lock all that time: no other thread runs, and no
    signal is heard. The same calls of libpq through ctypes give it up. Raises psycopg2.OperationalError.
    """
    import ctypes  # few commands are cancelled

    libpq: Any = ctypes.CDLL(_psycopg.__file__)
    if not hasattr(libpq, "PQgetCancel"):  # a driver that hides the library it was linked with
        raw.cancel()
        return
    libpq.PQgetCancel.argtypes = [ctypes.c_void_p]
    libpq.PQgetCancel.restype = ctypes.c_void_p
    libpq.PQcancel.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    libpq.PQfreeCancel.argtypes = [ctypes.c_void_p]
    reason = ctypes.create_string_buffer(_REASON_SIZE)
    key = libpq.PQgetCancel(raw.pgconn_ptr)
    try:
        if not libpq.PQcancel(key, reason, _REASON_SIZE):
            raise psycopg2.OperationalError(reason.value.decode("utf-8", "replace"))
    finally:
        libpq.PQfreeCancel(key)
