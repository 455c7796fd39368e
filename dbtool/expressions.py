"""Regular expressions that are compiled when they are first used.

Compiling those of all modules that a query loads takes a tenth of it, and a plain query uses few of them.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # every command pays for what is imported here
if TYPE_CHECKING:
    from typing import AnyStr


class _Expression:
    """Stands for a compiled expression, and takes over its methods at the first use of one."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self._pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what copying and comparing look for
            raise AttributeError(name)
        compiled = re.compile(self._pattern, self._flags)
        # From now on they are found without coming here.
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return getattr(compiled, name)


_METHODS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "split")


def expression(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a regular expression that a module may hold without paying for it."""
    return _Expression(pattern, flags)  # type: ignore[return-value]
