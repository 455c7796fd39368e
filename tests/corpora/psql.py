"""psql and dbtool beside each other, and what PostgreSQL's log says of both."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psycopg2.extensions import quote_ident

from tests.corpora.dbtool_side import SECONDS, read_failures, run_dbtool
from tests.corpora.outcomes import Failure, Outcome, Row, TooLongError, hide_now, skip_nested_comments
from tests.servers.database import DatabaseAddress
from tests.servers.postgres import PostgresServer
from tests.side_by_side import dump_postgres

LOGGING = {
    "log_statement": "all",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "statements",
    "log_filename": "all.log",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    # Two runs one after the other are to find the same plans, rows in the same order.
    "autovacuum": "off",
    "synchronize_seqscans": "off",
    "max_parallel_workers_per_gather": "0",
    "max_prepared_transactions": "10",
}
"""Settings of a server whose log tells what it was sent."""
NAME = "corpus"
_NULL = "(null)"
_COPIED = re.compile(
    r"COPY \((?P<copied>.*)\n\) TO STDOUT(?: WITH \(FORMAT csv, HEADER true\))?"
    r"|DECLARE dbtool_rows NO SCROLL CURSOR FOR (?P<described>.*?)(?:\n; FETCH 0 FROM dbtool_rows)?",
    re.DOTALL,
)
_OWN = re.compile(
    r"(?:SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) dbtool_try.*|(?:DECLARE|CLOSE) dbtool_rows.*"
    r"|SELECT FROM pg_catalog\.pg_rewrite .*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logged:
    text: str
    code: str | None = None
    message: str = ""
    position: int | None = None


class Psql:
    """Runs scripts with psql and with dbtool, each in a fresh database of the same name."""

    name = "psql"

    def __init__(self, server: PostgresServer, *, setup: Path | None = None) -> None:
        self._server = server
        self._read = 0
        self._marks = 0
        self._roles = self._ask_names("SELECT rolname FROM pg_roles")
        self._databases = self._ask_names("SELECT datname FROM pg_database")
        self._template = "template0"
        if setup is not None:
            self._start_anew()
            self._psql(setup)
            self._template = "prepared"
            self._server.execute(f"ALTER DATABASE {NAME} RENAME TO {self._template}")
            self._roles = self._ask_names("SELECT rolname FROM pg_roles")
            self._databases.add(self._template)

    def run_native(self, script: Path) -> Outcome:
        """Run a script as `psql -f` does."""
        self._start_anew()
        done = self._psql(script, "--csv", f"--pset=null={_NULL}")
        logged = self._read_log()
        return Outcome(
            statements=[skip_nested_comments(entry.text) for entry in logged],
            rows=_read_csv(done.stdout),
            failures=[*_place_failures(logged, script.read_text("utf-8", "replace"))],
            dump=self._dump(),
        )

    def run_ours(self, script: Path) -> Outcome:
        """Run it with dbtool."""
        self._start_anew()
        address = DatabaseAddress(
            scheme="postgresql", host=self._server.host, port=self._server.port, user="postgres", database=NAME
        )
        done = run_dbtool(address.url, script, ["-F", "csv", "--null", _NULL])
        failures, refusal = read_failures(done, script)
        return Outcome(
            statements=[skip_nested_comments(entry.text) for entry in _unwrap(self._read_log())],
            rows=_read_csv(done.out),
            failures=failures,
            dump=self._dump(),
            refusal=refusal,
        )

    @staticmethod
    def is_own(statement: str) -> bool:
        """Say whether dbtool sends a statement on its own account."""
        return _OWN.fullmatch(statement) is not None

    def _psql(self, script: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
        address = f"postgresql://postgres@{self._server.host}:{self._server.port}/{NAME}"
        command: list[str | Path] = [
            self._server.binaries["psql"],
            "--no-psqlrc",
            "--quiet",
            *options,
            "-d",
            address,
            "-f",
            script.name,
        ]
        own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        own |= {"LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "10", "PGCLIENTENCODING": "UTF8"}
        try:
            return subprocess.run(
                command, check=False, capture_output=True, stdin=subprocess.DEVNULL, cwd=script.parent, env=own,
                timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TooLongError(f"psql took over {SECONDS} s") from None

    def _start_anew(self) -> None:
        """Leave no database or role of a script, and make a fresh database."""
        with closing(self._server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT gid, database FROM pg_prepared_xacts")
            for gid, database in cursor.fetchall():
                with closing(self._server.connect(database)) as inside, inside.cursor() as ending:
                    ending.execute("ROLLBACK PREPARED %s", (gid,))
            for name in self._ask_names("SELECT datname FROM pg_database") - self._databases:
                cursor.execute(f"DROP DATABASE {quote_ident(name, connection)} WITH (FORCE)")
            for name in self._ask_names("SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_'"):
                cursor.execute(f"DROP TABLESPACE {quote_ident(name, connection)}")
            for name in self._ask_names("SELECT rolname FROM pg_roles") - self._roles:
                cursor.execute(f"DROP OWNED BY {quote_ident(name, connection)}")
            for name in self._ask_names("SELECT rolname FROM pg_roles") - self._roles:
                cursor.execute(f"DROP ROLE {quote_ident(name, connection)}")
            cursor.execute(f"CREATE DATABASE {NAME} TEMPLATE {self._template} STRATEGY file_copy")
        self._read_log()

    def _ask_names(self, question: str) -> set[str]:
        return {name for (name,) in self._server.execute(question)}

    def _dump(self) -> list[str]:
        lines: list[str] = []
        for name in sorted(self._ask_names("SELECT datname FROM pg_database WHERE datallowconn") - self._databases):
            lines += dump_postgres(self._server, name).decode("utf-8", "replace").splitlines()
        return hide_now(lines)

    def _read_log(self) -> list[_Logged]:
        """Return what clients other than this one have sent since the last time."""
        self._marks += 1
        mark = f"SELECT 'mark {self._marks}'"
        self._server.execute(mark)
        path = self._server.data_directory / "statements" / "all.json"
        deadline = time.monotonic() + SECONDS
        while True:
            with path.open("rb") as file:
                file.seek(self._read)
                content = file.read()
            if mark.encode() in content and content.endswith(b"\n"):
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the server does not log")
            time.sleep(0.01)
        self._read += len(content)
        return [*_read_entries(json.loads(line) for line in content.splitlines())]


def _read_entries(lines: Iterator[dict[str, Any]]) -> Iterator[_Logged]:
    """Yield what was sent, in order: a statement with its error as one."""
    last: _Logged | None = None
    for line in lines:
        # `postgres` is where the databases are made, pg_dump runs elsewhere, and says so.
        is_aside = line.get("dbname") == "postgres" or line.get("application_name") == "pg_dump"
        if line.get("backend_type") != "client backend" or is_aside:
            continue
        message = line.get("message", "")
        if line["error_severity"] == "LOG" and message.startswith("statement: "):
            if last:
                yield last
            last = _Logged(text=message.removeprefix("statement: "))
        elif line["error_severity"] in {"ERROR", "FATAL"} and "statement" in line:
            failed = _Logged(
                text=line["statement"],
                code=line["state_code"],
                message=message,
                position=line.get("cursor_position"),
            )
            if last and (last.text != failed.text or last.code):
                yield last
            yield failed
            last = None
    if last:
        yield last


def _unwrap(logged: Sequence[_Logged]) -> Iterator[_Logged]:
    """Yield what dbtool was given, where it has the server copy the rows; an attempt that was refused was none."""
    held: _Logged | None = None
    for entry in logged:
        copied = _COPIED.fullmatch(entry.text)
        if _OWN.fullmatch(entry.text) and not (copied and entry.code):
            continue
        text = (copied["copied"] or copied["described"] or "") if copied else entry.text
        if held and held.text != text:
            yield held
        held = None
        if copied and entry.code:
            held = replace(entry, text=text)
        else:
            yield replace(entry, text=text)
    if held:
        yield held


def _place_failures(logged: Sequence[_Logged], script: str) -> Iterator[Failure]:
    """Yield the errors with their places in the script, as far as its statements are found in it."""
    # psql sends no empty lines, but for those in quotes.
    squeezed, offsets = _squeeze(script)
    at = 0
    for entry in logged:
        text, _ = _squeeze(entry.text)
        start = squeezed.find(text, at)
        if start >= 0:
            at = start + len(text)
        if entry.code is None:
            continue
        line = column = None
        if start >= 0:
            before = entry.text[: entry.position - 1] if entry.position else _comments_before(entry.text)
            offset = offsets[start + len(_squeeze(before + "x")[0]) - 1]
            line, column = script.count("\n", 0, offset) + 1, offset - script.rfind("\n", 0, offset)
        yield Failure(code=entry.code, line=line, column=column, text=entry.message)


def _squeeze(text: str) -> tuple[str, list[int]]:
    """Return a text without its empty lines, and where each character of the rest is in it."""
    kept = [place for place, mark in enumerate(text) if mark != "\n" or not place or text[place - 1] != "\n"]
    return "".join([text[place] for place in kept]), [*kept, len(text)]


def _comments_before(text: str) -> str:
    rest = skip_nested_comments(text)
    return text[: text.rindex(rest)] if rest else ""


def _read_csv(out: bytes) -> list[Row]:
    csv.field_size_limit(1 << 30)
    rows = csv.reader(io.StringIO(out.decode("utf-8", "replace"), newline=""))
    return [tuple(row) for row in rows]
