"""Seeing whether a connection of psycopg2 is alive, and ending what it was left in the middle of."""

from __future__ import annotations

from typing import Any

from dbtool.pool.drivers import poll_socket
from dbtool.pool.lease import Health

IDLE, ACTIVE, UNKNOWN = 0, 1, 4  # libpq's PGTransactionStatusType


def look_at_psycopg(connection: Any) -> Health:
    """Judge a connection of psycopg2 or psycopg."""
    if connection.closed:
        return Health.DEAD
    return poll_socket(connection.fileno())


def settle_psycopg2(connection: Any) -> bool:
    """Roll back what a borrower left open on a psycopg2 connection."""
    status = connection.get_transaction_status()
    if status != IDLE:
        if status in {ACTIVE, UNKNOWN}:
            return False
        # The driver's own rollback() does nothing under autocommit.
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
    if not connection.autocommit:
        connection.rollback()
        connection.autocommit = True
    return True
