"""Seeing whether a connection of PyMySQL is alive, and ending what it was left in the middle of."""

from __future__ import annotations

from typing import Any

from dbtool.pool.drivers import poll_socket
from dbtool.pool.lease import Health


def look_at_pymysql(connection: Any) -> Health:
    """Judge a connection of PyMySQL; it tells no other way which socket it uses.

    A MySQL server speaks unasked only to say that it hangs up. Anything else is the reply to a forgotten
    request, which a ping would take for its own.
    """
    socket = connection._sock
    if socket is None:
        return Health.DEAD
    return Health.QUIET if poll_socket(socket.fileno()) is Health.QUIET else Health.DEAD


def end_transaction(connection: Any) -> bool:
    """Roll back what is open on a connection that has read every reply; True, for it can be used again."""
    status = connection.server_status
    if status & 0x1 or not status & 0x2:
        # SERVER_STATUS_IN_TRANS, as of the last answer without rows; without SERVER_STATUS_AUTOCOMMIT a query with
        # rows may have begun one as well, which autocommit(True) would commit.
        connection.rollback()
    if not status & 0x2:
        connection.autocommit(True)
    return True
