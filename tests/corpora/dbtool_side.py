"""dbtool's side: one run of a script that goes on after errors, and what it says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from unittest import mock

from dbtool.cli.terminal import rows
from dbtool.formats import FORMATS
from tests.cli.running import Completed, run_inside
from tests.corpora.outcomes import Failure

SECONDS = 60
"""No script of a corpus may take longer."""
_ERROR = re.compile(r"dbtool: error: (?P<place>[^\n]*?):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<text>.*)")
_CODE = re.compile(r"^(?P<text>.*?) \[(?P<code>[0-9A-Z_]+)\](?: \(.*\))?(?: - .*|; .*)?$")
_SUMMARY = re.compile(r"dbtool: error: \d+ statements? failed, the first of them: ")
_HINT = re.compile(r" - (?:is \S+ a parameter\?|psql's variables are parameters|see ).*$")
_UNENDED = "the script ends inside a transaction"
_END = Failure(code=None, line=None, column=None, text=_UNENDED)
_MANY = MappingProxyType({name: row.replaced(holds_one_result=False) for name, row in FORMATS.items()})
"""One file of CSV holds one result; here the native client writes as many."""


def run_dbtool(address: str, script: Path, form: Sequence[str]) -> Completed:
    """Run a script as the native client does that is told to go on."""
    options = ["query", "-p", address, "--keep-going", "--timeout", f"{SECONDS}s", *form]
    with mock.patch.object(rows, "FORMATS", _MANY):
        return run_inside(*options, "-f", script.name, cwd=script.parent)


def read_failures(done: Completed, script: Path) -> tuple[list[Failure], str | None]:
    """Return the errors of statements that dbtool reported, and why it stopped before the end, if it did."""
    lines = [line for line in done.err.splitlines() if line.startswith("dbtool: error: ")]
    if lines and _SUMMARY.match(lines[-1]):
        return [_read_failure(line, script) for line in lines[:-1]], None
    if lines and _UNENDED in lines[-1]:
        return [*(_read_failure(line, script) for line in lines[:-1]), _END], None
    refusal = lines[-1].removeprefix("dbtool: error: ") if lines else None
    return [_read_failure(line, script) for line in lines[:-1]], refusal


def _read_failure(line: str, script: Path) -> Failure:
    found = _ERROR.match(line)
    if found is None:
        return Failure(code=None, line=None, column=None, text=line)
    coded = _CODE.match(found["text"])
    code, text = (coded["code"], coded["text"]) if coded else (None, found["text"])
    is_own = found["place"] == script.name
    place = (int(found["line"]), int(found["column"]) if found["column"] else None) if is_own else (None, None)
    return Failure(code=code, line=place[0], column=place[1], text=_HINT.sub("", text))
