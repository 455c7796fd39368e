"""Where in a statement that was typed an error stands, and the line that shows it."""

from __future__ import annotations

import re

from dbtool.cli.terminal.console import Console
from dbtool.errors import DbtoolError, Place, QueryError
from dbtool.formats.display import measure_width
from dbtool.statements import Statement
from dbtool.text import make_visible

_NEAR = re.compile(r" near '(.+)' at line \d", re.DOTALL)
_NAMED = re.compile(
    r"""'([^'\s]+)'|"([^"\s]+)"|no such \w+: (\S+)|\b(?:function|procedure|table|view|event)\s+([\w.]+)""",
    re.IGNORECASE,
)
"""What a server's message says is wrong, in the ways of those that say no place."""


def say_error(console: Console, error: DbtoolError, statement: Statement | None, *, typed: str) -> None:
    """Say what went wrong; of the statement, where in its own lines. `typed` is the source of what was typed."""
    message = re.sub(rf"^{re.escape(typed)}:\d+:\d+: ", "", str(error))
    place = error.place if isinstance(error, QueryError) else None
    if place is None or statement is None or place.line is None or place.source != statement.source:
        console.error(message)
        return
    text = statement.text.decode("utf-8", "replace")
    found = _find(text, statement, place, message)
    message = str(error).removeprefix(f"{place}: ")
    if found is None:
        console.error(message)
        return
    before, shown, number, is_one_line = found
    console.error(message if is_one_line else f"line {number}: {message}")
    blanks = "".join(character if character == "\t" else " " * measure_width(character) for character in before)
    console.show_lines(shown, f"{blanks}^")


def _find(text: str, statement: Statement, place: Place, message: str) -> tuple[str, str, int, bool] | None:
    """Return what stands before the place on its line, the line, its number, and whether it is the only one."""
    lines = text.split("\n")
    number = (place.line or 0) - statement.line
    column = (place.column or 1) - (statement.column if number == 0 else 1)
    if not 0 <= number < len(lines):
        return None
    if (number, column) == (0, 0):
        # The servers that say no place, and that one is here, are told apart by what the message quotes.
        offset = _find_named(text, message)
        if offset is None:
            return None
        number = text.count("\n", 0, offset)
        column = offset - (text.rfind("\n", 0, offset) + 1)
    before = make_visible(lines[number][:column], keep="\t")
    return before, lines[number].rstrip("\r"), number + 1, len(lines) == 1


def _find_named(text: str, message: str) -> int | None:
    """Return where stands what the message quotes, None unless that is one place."""
    near = _NEAR.search(message)
    if near is not None:
        return text.find(near[1]) if text.count(near[1]) == 1 else None
    for match in _NAMED.finditer(message):
        whole = next(filter(None, match.groups()))
        for name in (whole, whole.rpartition(".")[2]):
            found = [at.start() for at in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)]
            if len(found) == 1:
                return found[0]
    return None
