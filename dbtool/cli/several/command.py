"""A command on many profiles: its targets are chosen, worked on, watched, and summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dbtool.actions.connect import Limits
from dbtool.actions.query import QueryRequest, RowsFace
from dbtool.actions.several import (
    MergedRows,
    Several,
    SeveralOptions,
    State,
    Target,
    Task,
    choose_targets,
    require_writable,
)
from dbtool.cli.exits import ExitStatus, status_of
from dbtool.cli.several.board import TerminalBoard
from dbtool.cli.several.request import SeveralRequest
from dbtool.cli.several.summary import open_file, write_file
from dbtool.cli.terminal.rows import Rows, RowsRequest, choose_format, make_writer
from dbtool.cli.terminal.signals import stopping_on_signals
from dbtool.dialects import Dialect
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, GuardError, UsageError
from dbtool.process import prepare_process
from dbtool.run.merging import Arrivals, MergeOptions, Merger, RowSpool
from dbtool.run.outputs import FileOutput, ResultOutput

_PLACE = "{profile}"
"""What stands for a profile's name in the name of a file."""
_JOBS = 8


class SeveralCommand:
    """One command line at work on many profiles."""

    def __init__(  # noqa: PLR0913 - what the command line says, as its parts use it
        self,
        environment: Environment,
        asked: SeveralRequest,
        request: QueryRequest,
        rows: RowsRequest,
        limits: Limits,
        *,
        quiet: bool,
    ) -> None:
        self._environment = environment
        self._asked = asked
        self._request = request
        self._rows_request = rows
        self._limits = limits
        self._quiet = quiet
        self._rows = Rows(environment, rows)
        self._board = TerminalBoard(environment, quiet=quiet)
        self._arrivals = Arrivals()
        self.names: list[str] = []
        """The profiles that are meant, in their order."""
        self._is_apart = rows.path is not None and _PLACE in str(rows.path)

    def run(
        self, task: Task, *, writes: Callable[[Dialect], bool] = lambda _dialect: False, has_rows: bool = True
    ) -> None:
        """Do the task on each profile; raises TargetsFailedError where one fails, and as a run on one does.

        One that `has_rows` writes them to its query's output; they become one result, or a file for each.
        """
        asked = self._asked
        self._board.tells_rows = has_rows
        if asked.canary and not self._board.can_ask():
            raise GuardError("--canary asks on a terminal before it goes on, and there is none")
        targets = choose_targets(
            self._environment, self._board, asked.wanted, self._request, writes=writes, confirmed=asked.confirm or ()
        )
        self.names = [target.name for target in targets]
        is_writing = any(target.access is not None and not target.access.read_only for target in targets)
        if is_writing:
            require_writable(targets)
        options = SeveralOptions(jobs=asked.jobs or (1 if is_writing else _JOBS), stop_at_failure=is_writing)
        several = Several(
            self._environment, self._request, self._limits, options, targets, board=self._board, arrivals=self._arrivals
        )
        self._require_own_files(targets)
        summary = None if asked.summary is None else open_file(self._environment, asked.summary)
        error: BaseException | None = None
        try:
            with stopping_on_signals(several, tidy=several.tidy, leaves_interrupt=self._rows.leaves_interrupt):
                prepare_process()
                if not has_rows or self._is_apart:
                    self._work(several, task, None)
                else:
                    self._merge(several, task)
            several.raise_failures()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._board.close()
            if has_rows or any(outcome.state is not State.DONE for outcome in several.outcomes):
                self._board.summarise(several.outcomes)
            several.close()
            if asked.summary is not None and summary is not None:
                status = ExitStatus.DONE if error is None else _status_of(error)
                write_file(summary, asked.summary, several.outcomes, status)

    def _merge(self, several: Several, task: Task) -> None:
        """Have all rows become one result."""
        format_ = choose_format(self._environment, self._rows_request)
        opened: list[ResultOutput] = []
        several.call(
            lambda: opened.append(self._rows.open_output(spool_at_once=True, before_stream=self._board.give_way))
        )
        output, goes_to_terminal = opened[0], self._rows_request.goes_to_terminal(self._environment)
        merger = Merger(
            make_writer(self._environment, self._rows_request, format_, output),
            MergeOptions(
                unordered=self._asked.unordered,
                union=self._asked.columns == "union",
                expect_same=self._asked.expect_same,
                labelled=format_.name != "value",
            ),
            self._arrivals,
            fail=several.fail,
            check=lambda: None,
            flush=output.flush if self._asked.canary or not goes_to_terminal else lambda: None,
        )
        is_whole = False
        try:
            self._work(several, task, merger)
            self._board.close()
            several.call(merger.end)
            is_whole = not isinstance(output, FileOutput) or all(one.error is None for one in several.outcomes)
            if is_whole:
                several.call(output.commit)
            else:
                self._board.note(
                    f"-o {self._rows_request.path} was not written: it would not be whole "
                    f"(-o with {_PLACE} in its name writes a file for each)"
                )
        finally:
            merger.close()
            if not is_whole:
                output.discard()

    def _work(self, several: Several, task: Task, merger: Merger | None) -> None:
        """Do the task on all, or on the first one and then, if a person says so, on the others."""
        make, number = self._make_rows if merger else self._make_file, len(several.outcomes)
        first = 1 if self._asked.canary else number
        several.run(range(first), task, make, merger, is_reader_gone=self._rows.is_reader_gone)
        if first < number:
            if merger is not None:
                several.call(merger.show_so_far)
            if several.outcomes[0].error is not None:
                return
            if not self._board.ask_to_go_on(several.outcomes[0], number - first):
                raise GuardError(f"stopped after {several.outcomes[0].name}: the other profiles were not begun")
            several.run(range(first, number), task, make, merger, is_reader_gone=self._rows.is_reader_gone)

    def _make_rows(self, _target: Target, spool: RowSpool) -> RowsFace:
        format_ = choose_format(self._environment, self._rows_request)
        return MergedRows(spool, format_, self._rows.one_result, self._rows_request.wanted)

    def _make_file(self, target: Target, _spool: RowSpool) -> RowsFace:
        return Rows(self._environment, self._rows_request.replaced(path=self._name_file(target)))

    def _name_file(self, target: Target) -> Path:
        # The name of a URL may hold what leads to another directory.
        return Path(str(self._rows_request.path).replace(_PLACE, target.name.replace("/", "_")))

    def _require_own_files(self, targets: Sequence[Target]) -> None:
        """Refuse to write two things to one file, of which the second would take the first one's place."""
        if self._rows_request.path is None:
            return
        directory = self._environment.working_directory
        taken = {} if self._asked.summary is None else {(directory / self._asked.summary).resolve(): "--summary"}
        for target in targets if self._is_apart else targets[:1]:
            path = self._name_file(target)
            other = taken.setdefault((directory / path).resolve(), target.name)
            if other != target.name:
                raise UsageError(f"-o {self._rows_request.path}: {path} would be written for {target.name} and {other}")


def _status_of(error: BaseException) -> ExitStatus:
    return status_of(error) if isinstance(error, DbtoolError) else ExitStatus.INTERNAL
