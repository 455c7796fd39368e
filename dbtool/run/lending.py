"""A profile's pool, and the connections that are lent out of it to runs."""

from __future__ import annotations

from dbtool.connect import build_database, unwrap
from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.errors import DbtoolError
from dbtool.profiles.model import Target
from dbtool.run.session import Session


class ProfilePool:
    """The pool of one profile, which outlives the runs that borrow from it; for many threads."""

    def __init__(self, target: Target, settings: SessionSettings) -> None:
        self.target = target
        self.settings = settings
        self.engine = load_engine(target.engine)
        self._database = build_database(target, settings)

    def lend(self) -> Session:
        """Take a connection out of the pool, one at a time for each thread.

        Raises ConnectionFailedError, PoolTimeoutError, ProfileError.
        """
        try:
            self._database.connect()
        except Exception as error:
            raise self._translate(error) from error
        try:
            connection = self.engine.adopt(self._database.connection(), self.target, self.settings)
        except BaseException as error:
            self._database.close()
            if isinstance(error, Exception):
                raise self._translate(error) from error
            raise
        return Session(self.target, self.engine, connection, self._database.close)

    def _translate(self, error: Exception) -> DbtoolError:
        return self.engine.translate_connect_error(unwrap(error), self.target)

    def close(self, patience: float = 0.0) -> None:
        """Close every connection; those that are lent out are given so many seconds to come back."""
        self._database.shutdown(patience)
