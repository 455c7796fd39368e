"""A test of pools that another program runs: no command line, no terminal, no Typer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.running import surroundings

_PROGRAM = """
import json, sys, time
from pathlib import Path
from dbtool.actions.access import WriteRequest
from dbtool.actions.connect import Limits
from dbtool.actions.judging import Judging, merge_files
from dbtool.actions.pool_bench import BenchRequest, PoolBench
from dbtool.errors import ExpectationError
from dbtool.process import process_environment
from dbtool.run.worker import Worker

class Program:
    def __init__(self):
        self.said, self.asked, self.phases, self.shown, self.is_over = [], [], set(), 0, False
    note = warn = error = lambda self, text: self.said.append(text)
    def can_ask(self):
        return True
    def ask_name(self, name, purpose):
        self.asked.append((name, purpose))
        return name
    def announce(self, pool, phase):
        self.phases.add((pool, phase))
    def watch(self, pool, phase, status):
        pass
    def show_progress(self):
        self.shown += 1
    def close(self):
        self.is_over = True

environment, program, worker = process_environment(), Program(), Worker()
request = BenchRequest(
    profile="own", config="own.toml", compare="dbtool,none", threads=2, duration=0.05, warm_up=0.0,
    writing=WriteRequest(write=True),
)
judging = Judging(environment, ["throughput < 1000000000"], None)
bench = PoolBench(
    environment, request, Limits(started=time.monotonic()), face=program, watch=program, worker=worker
)
reports = bench.run(bench.find_access()).reports
worker.close()
assert [report.pool for report in reports] == ["dbtool", "none"]
assert program.asked == [("own", "write to it")]
assert {("dbtool", "load"), ("none", "load")} <= program.phases
assert program.shown and program.is_over and not program.said
try:
    judging.judge(reports)
    raise SystemExit("no such throughput was reached")
except ExpectationError as error:
    assert "throughput" in str(error), error
files = [Path("one.json"), Path("other.json")]
for path in files:
    path.write_text(json.dumps(reports[0].to_json()))
(merged,) = merge_files(environment, files)
assert merged.measures.requests == 2 * reports[0].measures.requests
loaded = {"typer", "rich", "click", "prompt_toolkit"} & set(sys.modules)
assert not loaded and not any(name.startswith("dbtool.cli") for name in sys.modules), loaded
"""


def test_a_test_of_pools_needs_no_command_line(tmp_path: Path) -> None:
    """On a protected profile, whose name the program's own person is asked for."""
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
