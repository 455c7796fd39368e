"""What completion knows of a database: fetched in the background, on a connection of its own."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

from dbtool.actions.catalog import ENCODING, LONGEST_QUESTION, asking
from dbtool.cli.shell.completion import Names, gather_names
from dbtool.engines import load_catalog
from dbtool.engines.engine import SessionSettings
from dbtool.profiles.model import Target
from dbtool.run.lending import ProfilePool

_CHANGES = frozenset({"CREATE", "ALTER", "DROP", "RENAME", "ATTACH", "DETACH", "COMMENT", "USE"})
"""What a statement begins with that may change the names."""


def changes_names(words: tuple[str, ...]) -> bool:
    """Say whether the names may be others after a statement that begins so."""
    return bool(words) and words[0] in _CHANGES


class Knowledge:
    """The names of one database. `names` may be read by any thread, at any time; nothing waits for the server."""

    def __init__(self, fetch: Callable[[], Names]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()  # guards the two flags
        self._is_fetching = self._is_stale = False
        self.names = Names()

    def refresh(self) -> None:
        """Fetch the names anew, soon; one fetch runs at a time."""
        with self._lock:
            self._is_stale = True
            if self._is_fetching:
                return
            self._is_fetching = True
        # It is left behind at the end: the server sees its connection close.
        threading.Thread(target=self._fetch_all, name="dbtool-names", daemon=True).start()

    def _fetch_all(self) -> None:
        while True:
            with self._lock:
                if not self._is_stale:
                    self._is_fetching = False
                    return
                self._is_stale = False
            # What is gathered stays: to go through it all for garbage, each time anew, would hold up a key.
            gc.disable()
            try:
                self.names = self._fetch()
            except Exception:
                with self._lock:
                    self._is_fetching = self._is_stale = False
                return
            finally:
                gc.enable()


def open_names(target: Target) -> tuple[Callable[[], Names], ProfilePool]:
    """Return what fetches a database's names, and the pool that its read-only connection is lent out of.

    The pool keeps the connection for the next time, as long as the profile's `stale_timeout` says.
    """
    settings = SessionSettings(read_only=True, statement_timeout=LONGEST_QUESTION, encoding=ENCODING)
    pool = ProfilePool(target, settings)

    def fetch() -> Names:
        session = pool.lend()
        try:
            ask = asking(session.connection, session.engine.dialect)
            return gather_names(load_catalog(session.engine.dialect.name).read(ask, None))
        finally:
            session.close()

    return fetch, pool
