"""Find the line on which a TOML file writes each table and key.

The parser keeps no positions. This scanner reads only what it needs for them and is fed nothing but
files that parse, so it need not check anything.
"""

from __future__ import annotations

import re

from dbtool.expressions import expression

KeyPath = tuple[str, ...]

_STRING = r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'"
TOKEN = expression(
    rf"(?P<comment>#[^\n]*)|(?P<string>{_STRING})|(?P<mark>[\[\]{{}}=\n])|(?P<bare>[^\s\[\]{{}}=,.#\"']+)", re.DOTALL
)
"""One token of a TOML file; what it does not match is white space, a dot or a comma."""


def locate(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of every table header and every key outside inline tables."""
    return _Scan(text).run()


class _Scan:
    """One pass over a file: `path` gathers the key of the statement that is being read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[KeyPath, int] = {}
        self.table: KeyPath = ()
        self.path: list[str] = []
        self.depth = 0
        self.in_value = False

    def run(self) -> dict[KeyPath, int]:
        line = 1
        for token in TOKEN.finditer(self.text):
            kind, written = token.lastgroup, token.group()
            if kind == "mark":
                self._take_mark(written, line)
            elif kind in {"bare", "string"} and not self.in_value:
                self.path.append(unquote(written))
            line += written.count("\n")
        return self.lines

    def _take_mark(self, mark: str, line: int) -> None:
        if self.in_value:
            self._skip_value(mark)
        elif mark == "]":
            self.table = tuple(self.path)
            self._record(self.table, line)
            # A table that was only implied so far has its header here.
            self.lines[self.table] = line
        elif mark == "=":
            self._record(self.table + tuple(self.path), line)
            self.in_value = True
        elif mark == "\n":
            self._begin_statement()

    def _skip_value(self, mark: str) -> None:
        if mark in "[{":
            self.depth += 1
        elif mark in "]}":
            self.depth -= 1
        elif mark == "\n" and self.depth == 0:
            self._begin_statement()

    def _begin_statement(self) -> None:
        self.path = []
        self.in_value = False

    def _record(self, path: KeyPath, line: int) -> None:
        """Keep the first line of a path and of the tables that it implies."""
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)


def unquote(written: str) -> str:
    """Return the name that one part of a key spells."""
    if written[0] == "'":
        return written[1:-1]
    if written[0] == '"' and "\\" not in written and not written.startswith('"""'):
        return written[1:-1]
    if written[0] == '"':
        import tomli  # quoted keys are rare

        return str(tomli.loads(f"key = {written}")["key"])
    return written
