"""What is known about each engine without its driver: one table, `DIALECTS`.

Names, profile keys, ports, URL schemes, the lexical rules that the splitter needs, which statements commit by
themselves, and what other programs call things.
"""

from __future__ import annotations

from dbtool.dialects.base import Dialect, Lexical
from dbtool.dialects.mysql import MARIADB, MYSQL
from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.dialects.sqlite import SQLITE

__all__ = ["DIALECTS", "Dialect", "Lexical"]

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (SQLITE, POSTGRESQL, MYSQL, MARIADB)}
"""Every engine by its name; lists of engines in help and errors come from here."""
