"""The `sqlite3` shell and dbtool beside each other, and what SQLite's trace says of both."""

from __future__ import annotations

import csv
import io
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from unittest import mock

from dbtool.engines.sqlite import connecting
from tests.corpora.dbtool_side import SECONDS, read_failures, run_dbtool
from tests.corpora.outcomes import Failure, Outcome, Row, TooLongError, hide_now, trim

_ERROR = re.compile(
    r"^(?:Parse error|Runtime error|Error:)[ ]near line (?P<line>\d+): (?P<text>.*?)(?: \((?P<number>\d+)\))?$"
    r"(?:\n  (?P<shown>.*)\n(?:(?P<before> *)\^--- error here|(?P<after> *error here ---)\^)$)?",
    re.MULTILINE,
)
_BLANK = re.compile(r"\s")
_CELL = re.compile(r"(?P<quoted>'(?:[^']|'')*')|(?P<blob>X'[0-9a-f]*')|(?P<bare>[^,\n']*)", re.IGNORECASE)
_OWN = re.compile(r"PRAGMA busy_timeout = \d+")


class Sqlite:
    """Runs scripts with sqlite3 and with dbtool, each in a fresh file of the same name."""

    name = "sqlite3"

    def __init__(self, directory: Path, *, setup: Path | None = None) -> None:
        self._directory = directory
        self._setup = setup
        self._file = directory / "corpus.db"
        self._trace = directory / "trace.txt"

    def run_native(self, script: Path) -> Outcome:
        """Run a script as `sqlite3 FILE < SCRIPT` does."""
        self._start_anew()
        options = ["-quote", "-cmd", f".trace {self._trace} --plain"]
        done = self._run_shell(script, *options)
        traced = self._trace.read_text("utf-8", "replace") if self._trace.exists() else ""
        return Outcome(
            statements=_cut(traced),
            rows=[*_read_quoted(done.stdout.decode("utf-8", "replace"))],
            failures=[*_read_errors(done.stderr.decode("utf-8", "replace"), script.read_text("utf-8", "replace"))],
            dump=self._dump(),
        )

    def run_ours(self, script: Path) -> Outcome:
        """Run it with dbtool."""
        self._start_anew()
        traced: list[str] = []
        prepare = connecting.set_up

        def trace(raw: sqlite3.Connection, *arguments: object) -> None:
            prepare(raw, *arguments)  # type: ignore[arg-type]
            raw.set_trace_callback(traced.append)

        with mock.patch.object(connecting, "set_up", trace):
            done = run_dbtool(str(self._file), script, ["-F", "csv", "--no-header", "--null", "(null)"])
        failures, refusal = read_failures(done, script)
        return Outcome(
            statements=_cut(";\n".join(traced)),
            rows=_read_csv(done.out),
            failures=[Failure(code=None, line=each.line, column=each.column, text=each.text) for each in failures],
            dump=self._dump(),
            refusal=refusal,
        )

    @staticmethod
    def is_own(statement: str) -> bool:
        """Say whether dbtool sends a statement on its own account."""
        return _OWN.fullmatch(statement) is not None

    def _start_anew(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir()
        self._file.touch()
        if self._setup is not None:
            self._run_shell(self._setup)

    def _run_shell(self, script: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
        with script.open("rb") as file:
            try:
                return subprocess.run(
                    ["sqlite3", "-batch", "-init", "/dev/null", *options, str(self._file)], check=False,
                    capture_output=True, stdin=file, cwd=script.parent, timeout=SECONDS,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise TooLongError(f"sqlite3 took over {SECONDS} s") from None

    def _dump(self) -> list[str]:
        done = subprocess.run(["sqlite3", str(self._file), ".dump"], check=False, capture_output=True, timeout=SECONDS)
        return hide_now((done.stdout + done.stderr).decode("utf-8", "replace").splitlines())


def _cut(traced: str) -> list[str]:
    """Return the statements of a trace; those of triggers stand in it as comments."""
    lines = (line for line in traced.split("\n") if not line.startswith("--"))
    statements = [text for part in "\n".join(lines).split(";\n") if (text := trim(part))]
    # Python's trace tells of a statement again for each trigger that it sets off.
    return [text for text, _again in groupby(statements)]


def _read_errors(err: str, script: str) -> Iterator[Failure]:
    flat = _BLANK.sub(" ", script)
    for found in _ERROR.finditer(err):
        # The shell counts from the comments before a statement, and shows the text about a word that it cannot read.
        begin = _find_line(script, int(found["line"]))
        rest = script[begin:]
        start = begin + rest.find(trim(rest))
        caret = found["before"] or found["after"]
        shown = found["shown"] and flat.find(found["shown"].rstrip(), begin)
        if shown and shown >= 0:
            line, column = _locate(script, shown + len(caret) - 2)
            yield Failure(code=None, line=line, column=column, text=found["text"], start=_locate(script, start))
        else:
            yield Failure(code=None, line=_locate(script, start)[0], column=None, text=found["text"])


def _find_line(script: str, number: int) -> int:
    at = 0
    for _ in range(number - 1):
        at = script.index("\n", at) + 1
    return at


def _locate(script: str, offset: int) -> tuple[int, int]:
    return script.count("\n", 0, offset) + 1, offset - script.rfind("\n", 0, offset)


def _read_quoted(out: str) -> Iterator[Row]:
    row: list[str] = []
    position = 0
    while position < len(out):
        cell = _CELL.match(out, position)
        assert cell is not None
        row.append(_unquote(cell))
        position = cell.end()
        if out[position : position + 1] != ",":
            yield tuple(row)
            row = []
        position += 1


def _unquote(cell: re.Match[str]) -> str:
    if cell["quoted"] is not None:
        return _spell_number(cell["quoted"][1:-1].replace("''", "'"))
    if cell["blob"] is not None:
        return "\\x" + cell["blob"][2:-1].lower()
    bare = cell["bare"]
    if bare == "NULL":
        return "(null)"
    return _spell_number(bare)


def _spell_number(text: str) -> str:
    """Return a number as Python spells it; sqlite3 and dbtool write the same one with more or fewer digits."""
    if text.lstrip("-").isdigit():
        return text
    try:
        return repr(float(text))
    except ValueError:
        return text


def _read_csv(out: bytes) -> list[Row]:
    csv.field_size_limit(1 << 30)
    rows = csv.reader(io.StringIO(out.decode("utf-8", "replace"), newline=""))
    return [tuple(map(_spell_number, row)) for row in rows]
