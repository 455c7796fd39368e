"""What `dbtool pool-bench` does beside its test: signals, what is printed meanwhile, files, and a status."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from dbtool.actions.connect import Limits
from dbtool.actions.judging import Judging, merge_files, require_pass
from dbtool.actions.pool_bench import BenchRequest, PoolBench
from dbtool.cli.pool_bench.outputs import OutputRequest, writing
from dbtool.cli.pool_bench.progress import BenchProgress
from dbtool.cli.terminal.console import Console
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.environment import Environment
from dbtool.process import prepare_process
from dbtool.records import Record
from dbtool.run.worker import Worker


class BenchOptions(Record):
    """One command line: the test, what its reports have to keep to, and where they go."""

    request: BenchRequest
    limits: Limits
    fail_if: Sequence[str] = ()
    baseline: Path | None = None
    output: OutputRequest


def run_bench(environment: Environment, asked: BenchOptions) -> None:
    """Run the test and write what it found; raises DbtoolError, an ExpectationError where a pool has failed."""
    judging = Judging(environment, asked.fail_if, asked.baseline)
    judging.require_taken(chaos=asked.request.chaos, sweeps=asked.request.sweep is not None)
    console, worker = Console(environment, quiet=asked.output.quiet), Worker()
    watch = BenchProgress(environment)
    try:
        bench = PoolBench(environment, asked.request, asked.limits, face=console, watch=watch, worker=worker)
        # Before signals become requests to the worker: a question on the terminal ends at Ctrl-C by itself.
        access = bench.find_access()
        with writing(environment, asked.output) as output:
            # What a user's own pool prints must not get among the rows.
            with redirect_stdout(environment.stderr), stopping_on_signals(worker):
                prepare_process()
                outcome = bench.run(access)
            output.write(outcome.reports)
    finally:
        worker.close()
    if outcome.ended is not None:
        raise outcome.ended
    judging.tell_changes(console, outcome.reports)
    judging.judge(outcome.reports)


def run_merge(environment: Environment, files: Sequence[Path], request: OutputRequest) -> None:
    """Merge reports and write the result; raises UsageError, and ExpectationError where a pool had failed."""
    merged = merge_files(environment, files)
    with writing(environment, request) as output:
        output.write(merged)
    require_pass(merged[0])
