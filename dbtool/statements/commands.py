"""The commands of the native clients that turn up in scripts: obeyed, passed over, or refused by name."""

from __future__ import annotations

import re

from dbtool.dialects import Lexical
from dbtool.errors import Place, UsageError
from dbtool.statements.patterns import Buffer

_NAME = re.compile(rb"\\[A-Za-z_]+|\\.|\.?[A-Za-z_]+|.", re.DOTALL)
_DELIMITER = re.compile(rb"\w+[ \t]+(\S+)\s*(.*)", re.DOTALL)
_OTHER_CURE = "leave it out, or run it in that client"


class WordCommands:
    """Recognise the commands that look like SQL: one word where a statement would start."""

    def __init__(self, lexical: Lexical) -> None:
        self._words = [command.encode() for command in lexical.refused_commands if command.isalpha()]
        if lexical.delimiter_command:
            self._words.append(b"delimiter")
        self._longest = max(map(len, self._words), default=0)
        self._match = re.compile(rb"(?:%b)[\s;]" % b"|".join(self._words), re.IGNORECASE).match

    def __bool__(self) -> bool:
        return bool(self._words)

    def stand_at(self, buffer: Buffer, position: int, *, ended: bool) -> bool | None:
        """Say whether a command starts at a position; None if more bytes have to tell."""
        if self._match(buffer, position):
            return True
        if len(buffer) - position > self._longest:
            return False
        rest = bytes(buffer[position:]).lower()
        if ended:
            return rest in self._words
        return None if any(word.startswith(rest) for word in self._words) else False


def read_command(line: bytes, lexical: Lexical, place: Place) -> bytes | None:
    """Return the terminator that a command line sets, or None if it needs no action.

    Raises UsageError for a command that dbtool has no use for.
    """
    name = _read_name(line)
    if name in lexical.ignored_commands:
        return None
    if lexical.delimiter_command and name.lower() == "delimiter":
        return _read_delimiter(line, place)
    raise refuse_command(line, lexical, place)


def refuse_command(line: bytes, lexical: Lexical, place: Place) -> UsageError:
    """Return the error for a command line, with the cure."""
    name = _read_name(line)
    cures = lexical.refused_commands
    # psql has a family of `\\d` commands; words are known in any case.
    family = name[:2] if name.startswith(r"\d") else name.lower()
    cure = cures.get(name) or cures.get(family, _OTHER_CURE)
    return UsageError(f"{place}: {name} is a command of {lexical.client}, not SQL: {cure}")


def _read_name(line: bytes) -> str:
    match = _NAME.match(line)
    return match.group().decode("utf-8", "replace") if match else ""


def _read_delimiter(line: bytes, place: Place) -> bytes:
    match = _DELIMITER.match(line)
    if match is None:
        raise UsageError(f"{place}: DELIMITER needs the new terminator after it, as in DELIMITER //")
    terminator, rest = match.groups()
    if b"\\" in terminator:
        raise UsageError(f"{place}: a terminator cannot hold a backslash; choose another, as in DELIMITER //")
    if rest.strip() and not rest.startswith((b"--", b"#")):
        raise UsageError(f"{place}: DELIMITER takes one word; put what follows it on the next line")
    return bytes(terminator)
