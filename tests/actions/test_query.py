"""A query that another program runs: no command line, no terminal, no Typer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.running import surroundings

_PROGRAM = """
import io, sys, time
from pathlib import Path
from dbtool.actions.connect import Limits
from dbtool.actions.query import Query, QueryRequest
from dbtool.formats import FORMATS, FormatOptions
from dbtool.process import process_environment
from dbtool.run.outputs import StreamOutput
from dbtool.run.results import Results, Wanted
from dbtool.run.sources import Source
from dbtool.run.worker import Worker

class Program:
    def __init__(self):
        self.said, self.asked, self.buffer, self.done = [], [], io.BytesIO(), 0
    note = warn = error = lambda self, text: self.said.append(text)
    def can_ask(self):
        return True
    def ask_name(self, name, purpose):
        self.asked.append((name, purpose))
        return name
    one_result, tells_switched = "csv", False
    def open_output(self, *, spool_at_once):
        return StreamOutput(self.buffer, "memory")
    def make_results(self, output):
        return Results(output, FORMATS["csv"], FormatOptions(), Wanted())
    def is_reader_gone(self):
        return False
    def notice(self, text):
        self.said.append(text)
    def statement_done(self, statement, outcome, seconds):
        self.done += 1
    def statement_failed(self, error):
        self.said.append(str(error))
    def show_progress(self): pass
    def close(self): pass
    def summarise(self, runner, *, connected, ended):
        self.said.append(f"{runner.summary.statements} statements, {runner.results.rows} rows")

from dbtool.actions.access import WriteRequest
program, worker = Program(), Worker()
source = Source(name="program", content=b"create table t (a); insert into t values (1), (2); select a from t")
request = QueryRequest(profile="own", config="own.toml", sources=(source,), writing=WriteRequest(write=True))
query = Query(
    process_environment(), request, Limits(started=time.monotonic()), face=program, rows=program, worker=worker
)
query.run(query.find_access(), program)
worker.close()
assert program.buffer.getvalue() == b"a\\n1\\n2\\n", program.buffer.getvalue()
assert program.asked == [("own", "write to it")]
assert program.said == ["3 statements, 2 rows"], program.said
loaded = {"typer", "rich", "click", "prompt_toolkit"} & set(sys.modules)
assert not loaded and not any(name.startswith("dbtool.cli") for name in sys.modules), loaded
"""


def test_a_query_needs_no_command_line(tmp_path: Path) -> None:
    """A protected profile, whose name the program's own person is asked for."""
    (tmp_path / "own.toml").write_text(
        '[profiles.own]\nengine = "sqlite"\npath = "own.db"\ncreate = true\nprotected = true\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=surroundings(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
