"""A session for a conversation, which is opened again when its connection is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable

from dbtool.actions.face import Face
from dbtool.dialects import Dialect
from dbtool.engines.engine import DriverConnection, TransactionState
from dbtool.errors import DbtoolError, InterruptedByUserError
from dbtool.run.session import Session
from dbtool.run.worker import Worker


class LastingSession:
    """One session after the other, opened the same way. Belongs to the thread that waits for its worker."""

    def __init__(self, face: Face, worker: Worker, session: Session, open_again: Callable[[], Session]) -> None:
        self._face = face
        self._worker = worker
        self._session = session
        self._open_again = open_again
        self._is_open = True
        self._was_in_transaction = False

    @property
    def current(self) -> Session:
        """The session that is open, or was last."""
        return self._session

    @property
    def connection(self) -> DriverConnection:
        """The connection of the session, which may be lost."""
        return self._session.connection

    @property
    def dialect(self) -> Dialect:
        """What is known of the engine."""
        return self._session.engine.dialect

    def is_ready(self) -> bool:
        """Say whether the statement that was typed can be sent, to the session that it was typed for."""
        if not self._is_open:
            return self.renew()
        self._was_in_transaction = self.connection.transaction is not TransactionState.NONE
        if not self.connection.has_hung_up:
            return True
        self.renew()
        self._face.warn("the statement has not been sent: enter it again to run it")
        return False

    def renew(self) -> bool:
        """Open the session again and say what is gone with the old one; say whether there is one."""
        self.close()
        try:
            self._session = self._open_again()
        except DbtoolError as error:
            if isinstance(error, InterruptedByUserError) and error.signal_number != signal.SIGINT:
                raise
            self._leave_stuck_thread()
            self._face.error(str(error))
            self._face.note("not connected: the next statement tries again")
            return False
        self._is_open = True
        transaction = ", the open transaction" if self._was_in_transaction else ""
        self._was_in_transaction = False
        self._face.warn(
            "the connection was lost and has been opened again: "
            f"gone with it are session settings, temporary tables{transaction} and locks"
        )
        return True

    def close(self) -> None:
        """Close the session, unless a thread is stuck in it."""
        if self._is_open and not self._leave_stuck_thread():
            self._worker.call(self._session.close)
        self._is_open = False

    def _leave_stuck_thread(self) -> bool:
        is_stuck = self._worker.is_stuck
        if is_stuck:
            self._worker.start_over()
        return is_stuck
