"""One SQLite database in memory for all connections of a pool."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Mapping
from typing import Any

_numbers = itertools.count()


class SharedMemory:
    """A database in memory that lasts as long as this object, whatever connections come and go."""

    def __init__(self) -> None:
        name = f"/dbtool-{os.getpid()}-{next(_numbers)}"
        # Older SQLite can only share one page cache, where locks are a table's and no busy timeout helps.
        has_memdb = sqlite3.sqlite_version_info >= (3, 36)
        self._uri = f"file:{name}?vfs=memdb" if has_memdb else f"file:{name}?mode=memory&cache=shared"
        self._anchor = sqlite3.connect(self._uri, uri=True, check_same_thread=False)

    def connect(self, timeout: float, options: Mapping[str, Any]) -> sqlite3.Connection:
        """Open another connection; `timeout` is the busy timeout in seconds."""
        settings = {**options, "uri": True}
        connection: sqlite3.Connection = sqlite3.connect(self._uri, timeout=timeout, isolation_level=None, **settings)
        return connection

    def __del__(self) -> None:
        self._anchor.close()
