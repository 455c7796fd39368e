r"""What can be typed at the prompt beside SQL: `\dt`, `.tables`, `show tables`; one table for all engines."""

from __future__ import annotations

import re
from enum import Enum, auto

from dbtool.dialects import Dialect
from dbtool.records import Record


class Action(Enum):
    """What a command does."""

    TABLES = auto()
    DESCRIBE = auto()
    DATABASES = auto()
    SCHEMAS = auto()
    ROUTINES = auto()
    INDEXES = auto()
    VIEWS = auto()
    VERTICAL = auto()
    EDIT = auto()
    CONNECT = auto()
    TIMING = auto()
    WATCH = auto()
    OUTPUT = auto()
    INCLUDE = auto()
    SHOW_LAST = auto()
    HELP = auto()
    QUIT = auto()


class CommandRow(Record):
    """One command: what is typed for it, what may follow, and its line in the help."""

    action: Action
    spellings: tuple[str, ...]
    argument: str = ""
    summary: str
    needs_argument: bool = False
    is_sql_on: frozenset[str] = frozenset()
    """The families of engines whose server understands a spelling in words."""


_MYSQL = frozenset({"mysql"})
_ROWS = (
    CommandRow(
        action=Action.TABLES,
        spellings=(r"\dt", ".tables", "show tables"),
        argument="[PATTERN]",
        summary="tables",
        is_sql_on=_MYSQL,
    ),
    CommandRow(
        action=Action.DESCRIBE,
        spellings=(r"\d", ".schema", "describe", "desc"),
        argument="[NAME]",
        summary="a table's columns, keys, indexes",
    ),
    CommandRow(
        action=Action.DATABASES,
        spellings=(r"\l", ".databases", "show databases"),
        summary="the server's databases",
        is_sql_on=_MYSQL,
    ),
    CommandRow(action=Action.SCHEMAS, spellings=(r"\dn",), summary="schemas"),
    CommandRow(action=Action.ROUTINES, spellings=(r"\df",), summary="functions and procedures"),
    CommandRow(action=Action.INDEXES, spellings=(r"\di", ".indexes"), summary="indexes"),
    CommandRow(action=Action.VIEWS, spellings=(r"\dv",), argument="[PATTERN]", summary="views"),
    CommandRow(
        action=Action.VERTICAL, spellings=(r"\x",), argument="[on|off|auto]", summary="rows as lines, a value each"
    ),
    CommandRow(action=Action.TIMING, spellings=(r"\timing", ".timer"), argument="[on|off]", summary="times"),
    CommandRow(
        action=Action.WATCH,
        spellings=(r"\watch",),
        argument="[SECONDS]",
        summary="run the last statement again and again",
    ),
    CommandRow(action=Action.EDIT, spellings=(r"\e", ".edit"), summary="write the next statement in an editor"),
    CommandRow(
        action=Action.CONNECT,
        spellings=(r"\c", r"\connect"),
        argument="PROFILE",
        summary="go on with another profile",
        needs_argument=True,
    ),
    CommandRow(
        action=Action.OUTPUT,
        spellings=(r"\o", ".output"),
        argument="[FILE]",
        summary="write rows to a file; without one, here",
    ),
    CommandRow(
        action=Action.INCLUDE,
        spellings=(r"\i", ".read", "source"),
        argument="FILE",
        summary="run a file",
        needs_argument=True,
    ),
    CommandRow(action=Action.SHOW_LAST, spellings=(r"\p",), summary="the last statement"),
    CommandRow(action=Action.HELP, spellings=(r"\?", ".help", "help", "?"), summary="these commands"),
    CommandRow(
        action=Action.QUIT, spellings=(r"\q", ".exit", ".quit", "exit", "quit"), summary="leave, as Ctrl-D does"
    ),
)


class Command(Record):
    """A command that was typed, and what stood behind it."""

    row: CommandRow
    argument: str

    @property
    def action(self) -> Action:
        """What it does."""
        return self.row.action


def _match(spelling: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, spelling.split()))
    return re.compile(rf"{words}(?:\s+(?P<argument>.*))?", re.IGNORECASE if spelling[0].isalpha() else 0)


_SPELLINGS = tuple((_match(spelling), spelling, row) for row in _ROWS for spelling in row.spellings)


def parse_command(line: str, dialect: Dialect) -> Command | None:
    """Return the command that a line is, None where it is SQL (or a command that the splitter refuses by name).

    What the server itself understands, as MySQL does `show tables` and `describe t`, is left to it.
    """
    text = line.strip()
    if not text or "\n" in text:
        return None
    text = text.rstrip(";").rstrip()
    for pattern, spelling, row in _SPELLINGS:
        found = pattern.fullmatch(text)
        if found is None or (spelling[0].isalpha() and _belongs_to_server(spelling, row, dialect)):
            continue
        argument = (found["argument"] or "").strip()
        if argument and not row.argument:
            continue
        if spelling in {"describe", "desc"} and not argument:
            continue
        return Command(row=row, argument=argument)
    return None


def _belongs_to_server(spelling: str, row: CommandRow, dialect: Dialect) -> bool:
    if spelling in {"describe", "desc"}:
        return dialect.family in _MYSQL
    return dialect.family in row.is_sql_on


def list_commands() -> list[tuple[str, str]]:
    """Return each command as it is typed, and what it does, for the help."""
    return [(", ".join(row.spellings) + (f" {row.argument}" if row.argument else ""), row.summary) for row in _ROWS]


def names() -> list[str]:
    """Return the spellings that no SQL begins with, for completion."""
    return [spelling for row in _ROWS for spelling in row.spellings if not spelling[0].isalpha()]
