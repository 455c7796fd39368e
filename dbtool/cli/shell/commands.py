r"""What can be typed at the prompt beside SQL: `\dt`, `.tables`, `show tables`; one table for all engines."""

from __future__ import annotations

import re
from enum import Enum, auto

from dbtool.dialects import Dialect
from dbtool.records import Record
from dbtool.statements import Statement


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
    SAVED = auto()
    SHOW_LAST = auto()
    RESET = auto()
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
    CommandRow(action=Action.SCHEMAS, spellings=(r"\dn",), argument="[PATTERN]", summary="schemas"),
    CommandRow(action=Action.ROUTINES, spellings=(r"\df",), argument="[PATTERN]", summary="functions and procedures"),
    CommandRow(action=Action.INDEXES, spellings=(r"\di", ".indexes"), argument="[PATTERN]", summary="indexes"),
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
        spellings=(r"\i", r"\ir", r"\.", ".read", "source"),
        argument="FILE",
        summary="run a file",
        needs_argument=True,
    ),
    CommandRow(
        action=Action.SAVED,
        spellings=(r"\n",),
        argument="[NAME [X=TEXT]...]",
        summary="run a saved query, or list them",
    ),
    CommandRow(action=Action.SHOW_LAST, spellings=(r"\p",), summary="what is typed so far, or was run last"),
    CommandRow(action=Action.RESET, spellings=(r"\r",), summary="forget what is typed so far"),
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
    if spelling.startswith(("\\d", "\\l")):
        words += r"[+S]*"  # psql's: more of it, and the system's
    return re.compile(rf"{words}(?:\s+(?P<argument>.*))?", re.IGNORECASE if spelling[0].isalpha() else 0)


_ENDING = re.compile(r"\\(g|gx|G)\s*;?\s*\Z")
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


def split_entry(text: str, dialect: Dialect) -> tuple[str, Command] | None:
    """Return the command that an entry is, or ends with on its last line, and what stands before it.

    Whether that is SQL which is still open, and no string, is for whoever asks to find out.
    """
    command = parse_command(text, dialect)
    if command is not None:
        return "", command
    text = text.rstrip("\n")
    start = text.rfind("\\", text.rfind("\n") + 1)
    command = parse_command(text[start:], dialect) if start > 0 else None
    return None if command is None else (text[:start].rstrip(), command)


class Ending(Record):
    r"""A \g or \G in a terminator's place."""

    before: str
    is_vertical: bool

    def is_end_of(self, statement: Statement) -> bool:
        """Say whether the rows of a statement are to be shown as lines, because it is the one before."""
        return self.is_vertical and self.before.rstrip().endswith(statement.text.decode("utf-8", "replace"))


def split_ending(text: str) -> Ending | None:
    r"""Return the \g, \gx or \G that a text ends with, and what stands before it."""
    found = _ENDING.search(text)
    return None if found is None else Ending(before=text[: found.start()], is_vertical=found[1] != "g")


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
