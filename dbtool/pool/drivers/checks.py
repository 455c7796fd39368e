"""Is a connection alive? A glance at its socket tells, for half a microsecond; a round trip where it does not.

An idle connection has nothing to read: a readable socket means that the server has hung up or said something.
"""

from __future__ import annotations

import select
from random import getrandbits
from typing import Any

from dbtool.pool.lease import Health

_GONE = 0
_EVENTS = 0
if hasattr(select, "poll"):
    # POLLRDHUP (Linux) tells a peer that closed from one that merely sent something.
    _GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)
    _EVENTS = select.POLLIN | getattr(select, "POLLRDHUP", 0)

QUIET, DOUBTFUL, DEAD = Health.QUIET, Health.DOUBTFUL, Health.DEAD


def poll_socket(descriptor: int) -> Health:
    """Judge an idle connection by its socket, with a zero timeout."""
    if not _EVENTS:
        return DOUBTFUL if select.select([descriptor], [], [], 0)[0] else QUIET
    poller = select.poll()
    poller.register(descriptor, _EVENTS)
    events = poller.poll(0)
    if not events:
        return QUIET
    return DEAD if events[0][1] & _GONE else DOUBTFUL


def look_at_psycopg(connection: Any) -> Health:
    """Judge a connection of psycopg2 or psycopg."""
    if connection.closed:
        return DEAD
    return poll_socket(connection.fileno())


def look_at_pymysql(connection: Any) -> Health:
    """Judge a connection of PyMySQL; it tells no other way which socket it uses.

    A MySQL server speaks unasked only to say that it hangs up. Anything else is the reply to a forgotten
    request, which a ping would take for its own.
    """
    socket = connection._sock  # noqa: SLF001
    if socket is None:
        return DEAD
    return QUIET if poll_socket(socket.fileno()) is QUIET else DEAD


def look_at_other_mysql(connection: Any) -> Health:
    """Judge a connection of a MySQL driver whose socket is out of reach, by a round trip."""
    ask_other_mysql(connection)
    return QUIET


def look_at_sqlite(connection: Any) -> Health:
    """Judge an SQLite connection: asking a closed one for anything raises."""
    _ = connection.total_changes
    return QUIET


def ask_psycopg(connection: Any) -> None:
    """Make a round trip; raises if the connection is dead."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def ask_pymysql(connection: Any) -> None:
    """Make a round trip without reconnecting; raises if the connection is dead."""
    connection.ping(False)


def ask_other_mysql(connection: Any) -> None:
    """Make a round trip; raises if the connection is dead, or answers another question.

    An exception out of a signal's handler may have come between a request and its reply, which a ping would take
    for its own.
    """
    nonce = f"{getrandbits(64):016x}"  # unlike any other answer, not secret
    cursor = connection.cursor()
    cursor.execute(f"SELECT '{nonce}'")
    rows = cursor.fetchall()
    cursor.close()
    # Text or bytes, in a tuple or by the column's name, as the program has set the driver up.
    if nonce not in str(rows):
        raise ValueError("the connection answers a question from before")
