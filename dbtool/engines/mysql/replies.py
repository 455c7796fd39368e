"""Has a PyMySQL connection read every reply to its end? PyMySQL itself does not know.

An exception out of a signal's handler may come between a request and its reply, or amid it. Whatever is asked
next would then take that reply for its own, and everybody after it the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbtool.pool.bindings import transform


class AccountableResult:
    """What an unbuffered PyMySQL result does beyond its class's: never wait for rows that may not come."""

    connection: Any
    unbuffered_active: bool
    is_in_doubt = False
    """A row is being read, and it may have been the end."""

    def _read_rowdata_packet_unbuffered(self) -> Any:
        return self._read(super()._read_rowdata_packet_unbuffered)  # type: ignore[misc]

    def _finish_unbuffered_query(self) -> None:
        self._read(super()._finish_unbuffered_query)  # type: ignore[misc]

    def _read(self, method: Callable[[], Any]) -> Any:
        if self.is_in_doubt and self.unbuffered_active:
            # Interrupted before: a cursor that is closed need not fail, and whatever else is asked will.
            self.unbuffered_active = False
            self.connection._force_close()
            return None
        self.is_in_doubt = True
        value = method()
        self.is_in_doubt = False
        return value


class AccountableConnection:
    """What a PyMySQL connection does beyond its class's: keep account of its replies.

    The marks are set before and taken away after, so that an interrupt at any moment leaves one behind.
    """

    Error: type[Exception]
    InterfaceError: type[Exception]
    _force_close: Callable[[], None]
    _result: Any
    awaits_packet = False
    """A request is being sent, or the next packet of its reply is still to come whole."""
    awaits_end = False
    """A reply of several packets is being read, or what it says is being noted."""

    def connect(self, sock: Any = None) -> None:
        """Connect anew, with nothing to wait for."""
        self.awaits_packet = self.awaits_end = False
        super().connect(sock)  # type: ignore[misc]  # of a mixin's other half

    def _execute_command(self, command: int, sql: Any) -> None:
        if not is_in_step(self):
            self._force_close()
            raise self.InterfaceError(0, "a statement before was interrupted, and the connection closed: open another")
        super()._execute_command(command, sql)  # type: ignore[misc]

    def _write_bytes(self, data: bytes) -> None:
        self.awaits_packet = True
        super()._write_bytes(data)  # type: ignore[misc]

    def _read_packet(self, *kind: Any) -> Any:
        self.awaits_packet = True
        try:
            packet = super()._read_packet(*kind)  # type: ignore[misc]
        except self.Error:
            # The server's error ends its reply; a lost connection has been closed.
            self.awaits_packet = self.awaits_end = False
            raise
        self.awaits_packet = False
        return packet

    def _read_ok_packet(self) -> Any:
        self.awaits_end = True
        ok = super()._read_ok_packet()  # type: ignore[misc]
        self.awaits_end = False
        return ok

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        self.awaits_end = True
        try:
            affected = super()._read_query_result(unbuffered)  # type: ignore[misc]
        except self.Error:
            # A file that LOAD DATA LOCAL cannot read: PyMySQL has read the reply.
            self.awaits_end = False
            raise
        if unbuffered:
            transform(self._result, AccountableResult)
        self.awaits_end = False
        return affected

    def show_warnings(self) -> Any:
        """Ask for the warnings; an interrupt closes the connection."""
        return self._finish_or_close(super().show_warnings)  # type: ignore[misc]

    def set_character_set(self, *names: Any) -> None:
        """Choose how text is encoded, here and at the server; an interrupt closes the connection."""
        self._finish_or_close(super().set_character_set, *names)  # type: ignore[misc]

    def _finish_or_close(self, method: Any, *arguments: Any) -> Any:
        try:
            return method(*arguments)
        except self.Error:
            raise
        except BaseException:
            self._force_close()
            raise


def keep_account(connection: Any) -> None:
    """Make a PyMySQL connection keep account of its replies."""
    transform(connection, AccountableConnection)


def is_in_step(connection: Any) -> bool:
    """Say whether the next answer of a PyMySQL connection will be that to the next question."""
    is_in_doubt = getattr(connection._result, "is_in_doubt", False)
    return not (connection.awaits_packet or connection.awaits_end or is_in_doubt)
