"""What a .env file assigns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbtool.expressions import expression
from dbtool.records import Record

_ASSIGNMENT = expression(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?:'(?P<single>[^'\n]*)'|"(?P<double>(?:\\.|[^"\\\n])*)"|(?P<bare>[^\s#][^\n]*?)?)[ \t]*(?:\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)


class Assignment(Record):
    """One variable, and the line that it is on."""

    _concealed = frozenset({"value"})

    line: int
    name: str
    value: str
    may_refer: bool
    """A `${VAR}` in it counts: it stands in no single quotes."""


def read_assignments(text: str) -> Iterator[Assignment]:
    """Yield every assignment, in order."""
    for match in _ASSIGNMENT.finditer(text):
        value, may_refer = _read_value(match)
        line = text.count("\n", 0, match.start("name")) + 1
        yield Assignment(line=line, name=match["name"], value=value, may_refer=may_refer)


def _read_value(match: re.Match[str]) -> tuple[str, bool]:
    """Return a value without its quotes, and whether variables count in it."""
    if match["single"] is not None:
        return match["single"], False
    if match["double"] is not None:
        return re.sub(r"\\(.)", r"\1", match["double"]), True
    # A # that follows a blank opens a comment; one inside a URL does not.
    return re.split(r"[ \t]#", match["bare"] or "")[0].strip(), True
