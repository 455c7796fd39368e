"""DATABASE_URL, and other variables whose names end in it, in a .env file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dbtool.environment import Environment
from dbtool.expressions import expression
from dbtool.profiles.importing.found import Found, make_name, read_text
from dbtool.profiles.importing.url import read_url

_ASSIGNMENT = expression(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>(?:[A-Za-z_][A-Za-z0-9_]*_)?DATABASE_URL)[ \t]*=[ \t]*
    (?:'(?P<single>[^'\n]*)'|"(?P<double>(?:\\.|[^"\\\n])*)"|(?P<bare>[^\s#][^\n]*?)?)[ \t]*(?:\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)


def list_files(environment: Environment) -> list[Path]:
    """Return the .env of the working directory."""
    return [environment.working_directory / ".env"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield a profile for every URL. Raises ProfileError."""
    text = read_text(path)
    for match in _ASSIGNMENT.finditer(text):
        url, may_refer = _read_value(match)
        place = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        name = make_name(match["name"].removesuffix("DATABASE_URL").lower().strip("_") or path.resolve().parent.name)
        if url:
            yield read_url(name, place, url, environment, references=may_refer)


def _read_value(match: re.Match[str]) -> tuple[str, bool]:
    """Return a value without its quotes, and whether variables count in it."""
    if match["single"] is not None:
        return match["single"], False
    if match["double"] is not None:
        return re.sub(r"\\(.)", r"\1", match["double"]), True
    # A # that follows a blank opens a comment; one inside a URL does not.
    return re.split(r"[ \t]#", match["bare"] or "")[0].strip(), True
