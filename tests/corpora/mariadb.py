"""The `mariadb` or `mysql` client and dbtool beside each other, and what the server's general log says of both."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.corpora.dbtool_side import SECONDS, read_failures, run_dbtool
from tests.corpora.outcomes import Failure, Outcome, Row, TooLongError, hide_now, trim
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

LOGGING = ("--general-log=1", "--log-output=TABLE")
"""Options of a server whose log tells what it was sent."""
NAME = "corpus"
_KEPT = ("mysql", "sys", "information_schema", "performance_schema")
_OWN = re.compile(
    r"SET NAMES utf8mb4(?: COLLATE \w+)?|SHOW WARNINGS|SELECT @@session\.character_set_results"
    r"|SELECT DATABASE\(\)|use .*|SELECT @@max_allowed_packet|SET SESSION max_\w+ = .*|SHOW SESSION STATUS WHERE .*"
)
_ERROR = re.compile(
    r"^ERROR (?P<number>\d+)(?: \((?P<state>\w+)\))? at line (?P<line>\d+)(?: in file: '(?P<file>[^']*)')?: "
    r"(?P<text>.*?)(?=\n(?:ERROR \d+|-{14}$|Note|Warning)|\Z)",
    re.MULTILINE | re.DOTALL,
)
_INNER_LINE = re.compile(r" at line (\d+)\Z")
_ESCAPE = re.compile(r"\\(.)")
_NATIVE_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_OUR_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", "f": "\f", "r": "\r", "v": "\v", "\\": "\\"}
_HEX = re.compile(r"\\\\x((?:[0-9a-f]{2})*)")


class MariaDb:
    """Runs scripts with the server's client and with dbtool, each in a fresh database of the same name."""

    def __init__(self, server: MariaDbServer, *, name: str = "mariadb", setup: Path | None = None) -> None:
        self.name = name
        self._server = server
        self._setup = setup
        self._users = set(server.execute("SELECT user, host FROM mysql.user"))

    def run_native(self, script: Path) -> Outcome:
        """Run a script as `mariadb < FILE` does."""
        self._start_anew()
        done = self._run_client(script)
        return Outcome(
            statements=self._read_log(),
            rows=_read_lines(done.stdout, _NATIVE_ESCAPES),
            failures=[*_read_errors(done.stderr.decode("utf-8", "replace"), script.read_text("utf-8", "replace"))],
            dump=self._dump(),
        )

    def run_ours(self, script: Path) -> Outcome:
        """Run it with dbtool."""
        self._start_anew()
        server = self._server
        address = DatabaseAddress(scheme=self.name, host=server.host, port=server.port, user="root", database=NAME)
        done = run_dbtool(address.url, script, ["-F", "tsv", "--no-header", "--null", "NULL"])
        failures, refusal = read_failures(done, script)
        return Outcome(
            statements=self._read_log(),
            rows=_read_lines(done.out, _OUR_ESCAPES),
            failures=failures,
            dump=self._dump(),
            refusal=refusal,
        )

    @staticmethod
    def is_own(statement: str) -> bool:
        """Say whether one of the clients sends a statement on its own account, or only where it has to."""
        return _OWN.fullmatch(statement) is not None

    def _client(self, program: str) -> list[str | Path]:
        server = self._server
        address = [f"--host={server.host}", f"--port={server.port}", "--user=root", "--skip-ssl"]
        return [server.binaries[program], "--no-defaults", *address]

    def _run_client(self, script: Path) -> subprocess.CompletedProcess[bytes]:
        form = ["--batch", "--force", "--skip-column-names", "--default-character-set=utf8mb4"]
        # dbtool sends the comments as they stand, so that routines and views keep theirs.
        form += ["--comments"]
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MYSQL", "MARIADB"))}
        with script.open("rb") as file:
            try:
                return subprocess.run(
                    [*self._client(self.name), *form, NAME], check=False, capture_output=True, stdin=file,
                    cwd=script.parent, env={**own, "LC_ALL": "C.UTF-8"}, timeout=SECONDS,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise TooLongError(f"{self.name} took over {SECONDS} s") from None

    def _start_anew(self) -> None:
        """Leave no database, user or setting of a script, and make a fresh database."""
        server = self._server
        for name in self._ask_databases():
            server.execute(f"DROP DATABASE `{name.replace('`', '``')}`")
        for user, host in set(server.execute("SELECT user, host FROM mysql.user")) - self._users:
            server.execute(f"DROP USER '{user}'@'{host}'")
        server.execute(f"CREATE DATABASE {NAME}")
        if self._setup is not None:
            self._run_client(self._setup)
        server.execute("TRUNCATE mysql.general_log")

    def _ask_databases(self) -> list[str]:
        names = [str(name) for (name,) in self._server.execute("SHOW DATABASES")]
        return [name for name in names if name.lower() not in _KEPT]

    def _read_log(self) -> list[str]:
        logged = self._server.execute(
            "SELECT command_type, CAST(argument AS CHAR CHARACTER SET utf8mb4) FROM mysql.general_log"
            " WHERE thread_id <> CONNECTION_ID() AND command_type IN ('Query', 'Init DB')"
        )
        # The client changes the database by a command of the protocol.
        sent = [trim(f"use {text}" if kind == "Init DB" else str(text)) for kind, text in logged]
        return [re.sub(r"^use\s", "use ", text, flags=re.IGNORECASE) for text in sent]

    def _dump(self) -> list[str]:
        options = ["--routines", "--triggers", "--events", "--skip-comments", "--skip-dump-date", "--force"]
        command = [*self._client("mariadb-dump"), *options, "--databases", *self._ask_databases()]
        done = subprocess.run(command, check=False, capture_output=True, timeout=SECONDS)
        # What cannot be dumped, as a view of a table that is gone, is named on stderr.
        return hide_now((done.stdout + done.stderr).decode("utf-8", "replace").splitlines())


def _read_errors(err: str, script: str) -> Iterator[Failure]:
    for found in _ERROR.finditer(err):
        # The client counts from the comments before a statement, the server from the statement.
        line = _pass_comments(script, int(found["line"]))
        inner = _INNER_LINE.search(found["text"])
        line += int(inner[1]) - 1 if inner else 0
        yield Failure(
            code=found["number"], line=None if found["file"] else line, column=None, text=found["text"].strip()
        )


def _pass_comments(script: str, line: int) -> int:
    """Return on which line a statement stands that begins on a line, or with comments there."""
    rest = "\n".join(script.split("\n")[line - 1 :])
    passed = rest.find(trim(rest))
    return line + rest.count("\n", 0, passed) if passed > 0 else line


def _read_lines(out: bytes, escapes: dict[str, str]) -> list[Row]:
    lines = out.decode("utf-8", "replace").split("\n")
    return [tuple(_unescape(cell, escapes) for cell in line.split("\t")) for line in lines[:-1]]


def _unescape(cell: str, escapes: dict[str, str]) -> str:
    digits = _HEX.fullmatch(cell) if escapes is _OUR_ESCAPES else None
    if digits:
        # The client writes the bytes.
        return bytes.fromhex(digits[1]).decode("utf-8", "replace")
    return _ESCAPE.sub(lambda found: escapes.get(found[1], found[0]), cell) if "\\" in cell else cell
