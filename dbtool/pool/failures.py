"""Which failures to connect may pass by themselves, and which somebody has to mend first."""

from __future__ import annotations

import re

_PASSING = frozenset({"OperationalError", "InterfaceError", "OSError"})
"""Names of the error classes, DB-API's and Python's, behind which a server may come back."""

_MYSQL_PERMANENT = frozenset({1044, 1045, 1049, 1231, 1251, 1524, 1698, 2026, 2054, 2061})
"""Access denied, unknown database, a refused plug-in or setting, TLS that cannot be had."""

# libpq hands over no SQLSTATE for a refused connection; its words are all there is.
_PERMANENT_TEXT = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|role \S+ is not permitted to log in"
    r"|(?:database|role) \".*\" does not exist|permission denied for database|certificate verify failed"
    r"|server does not support SSL|password in the clear|unable to open database file"
)


def is_permanent(error: BaseException) -> bool:
    """Say whether opening a connection failed in a way that trying again cannot mend."""
    if not any(kind.__name__ in _PASSING for kind in type(error).__mro__):
        return True
    code = error.args[0] if error.args else None
    return code in _MYSQL_PERMANENT if isinstance(code, int) else bool(_PERMANENT_TEXT.search(str(error)))
