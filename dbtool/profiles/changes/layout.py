"""Find where a TOML file writes each statement, to the character, so that one can be changed and the rest stay."""

from __future__ import annotations

from collections.abc import Iterator

from dbtool.profiles.locate import TOKEN, KeyPath, unquote
from dbtool.records import Record


class KeyPart(Record):
    """One part of a key as it is written; offsets count characters."""

    name: str
    start: int
    end: int


class Passage(Record):
    """A table header, or a key with its value; whole lines from `start` to `end`."""

    table: KeyPath
    """The table that a key stands in; empty for a header."""
    parts: tuple[KeyPart, ...]
    is_header: bool
    start: int
    end: int
    value: tuple[int, int] = (0, 0)
    """Where the value stands, if it is one string."""

    @property
    def path(self) -> KeyPath:
        """The whole key, from the top of the file."""
        return self.table + tuple(part.name for part in self.parts)

    def find_part(self, depth: int) -> KeyPart | None:
        """Return the part that is the key's name at a depth, if it is written here."""
        number = depth - len(self.table)
        return self.parts[number] if 0 <= number < len(self.parts) else None


def list_statements(text: str) -> list[Passage]:
    """Return every statement of a file that parses, in order; blank lines and comments belong to none."""
    return list(_Scan(text).run())


class _Scan:
    """One pass over a file: `parts` gathers the key of the statement that is being read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.table: KeyPath = ()
        self.parts: list[KeyPart] = []
        self.value = (0, 0)
        self.depth = 0
        self.in_value = False
        self.is_header = False

    def run(self) -> Iterator[Passage]:
        for token in TOKEN.finditer(self.text):
            kind, written = token.lastgroup, token.group()
            if kind == "mark":
                if written == "\n" and self.depth == 0:
                    yield from self._end_statement(token.end())
                else:
                    self._take_mark(written)
            elif kind in {"bare", "string"} and not self.in_value:
                self.parts.append(KeyPart(name=unquote(written), start=token.start(), end=token.end()))
            elif kind == "string" and self.depth == 0:
                self.value = token.span()
        yield from self._end_statement(len(self.text))

    def _take_mark(self, mark: str) -> None:
        if self.in_value:
            self.depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)
        elif mark == "[":
            self.is_header = True
        elif mark == "=":
            self.in_value = True

    def _end_statement(self, end: int) -> Iterator[Passage]:
        if self.parts:
            start = self.text.rfind("\n", 0, self.parts[0].start) + 1
            table = () if self.is_header else self.table
            statement = Passage(
                table=table,
                parts=tuple(self.parts),
                is_header=self.is_header,
                start=start,
                end=end,
                value=self.value,
            )
            if self.is_header:
                self.table = statement.path
            yield statement
        self.parts = []
        self.value = (0, 0)
        self.in_value = self.is_header = False
