"""Where the rows of a query go, and in which format."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from dbtool.cli.terminal.console import Console, uses_color
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.formats import FORMATS, Format, FormatOptions, Writer, format_for_suffix
from dbtool.records import Record
from dbtool.run.outputs import ResultOutput, StreamOutput, open_file_output, watch_reader
from dbtool.run.results import Results, Selection, Wanted
from dbtool.run.spooling import SpooledStream

_STANDARD_OUTPUT = "standard output"
_PATIENCE = 1.0
"""Seconds without progress after which a reader counts as stalled."""


class RowsRequest(Record):
    """What was asked for about the rows: `--format`, `-o`, `--result`, `--limit` and their like."""

    format_name: str | None = None
    options: FormatOptions = FormatOptions()
    path: Path | None = None
    wanted: Wanted = Wanted()

    def goes_to_terminal(self, environment: Environment) -> bool:
        """Say whether a person sees the rows as they come."""
        return self.path is None and environment.stdout_is_terminal


def choose_format(environment: Environment, request: RowsRequest) -> Format:
    """Return the format: the option, else the file's suffix, else DBTOOL_FORMAT, else what fits the reader.

    Raises UsageError where there is no such format.
    """
    name = request.format_name
    if name is None and request.path is not None:
        name = find_suffix(request.path)
    source = "--format"
    if name is None:
        name, source = environment.variables.get("DBTOOL_FORMAT") or None, "DBTOOL_FORMAT"
    if name is None:
        name = "table" if request.goes_to_terminal(environment) else "csv"
    return find_format(name, source)


def find_suffix(path: Path) -> str | None:
    """Return the format that a file's suffix stands for, None for a file without one; raises UsageError."""
    name = format_for_suffix(path)
    if name is None and path.suffix:
        suffixes = ", ".join(suffix for row in FORMATS.values() for suffix in row.suffixes)
        raise UsageError(
            f"-o {path}: {path.suffix} names no format: name one with -F, or end the file's name in one of {suffixes}"
        )
    return name


def find_format(name: str, source: str) -> Format:
    """Return the format called `name`, in any case; raises UsageError, with the nearest name."""
    if name.lower() in FORMATS:
        return FORMATS[name.lower()]
    from difflib import get_close_matches  # for this error alone

    near = get_close_matches(name.lower(), FORMATS, n=1)
    guess = f" - did you mean {near[0]}?" if near else ""
    raise UsageError(f"{source} {name!r}: there is no such format{guess} (formats: {', '.join(FORMATS)})")


def open_output(
    environment: Environment,
    request: RowsRequest,
    *,
    spool_at_once: bool,
    before_stream: Callable[[], object] = lambda: None,
) -> ResultOutput:
    """Open where the rows go; raises OutputError.

    A pipe is spooled: its reader may stall without holding up the server, `spool_at_once` because
    the server's own timeout runs meanwhile. `before_stream` is called before a terminal shows more than a screenful.
    """
    if request.path is not None:
        return open_file_output(request.path, directory=environment.working_directory)
    if environment.stdout_is_terminal:
        from shutil import get_terminal_size  # brings every way to compress

        from dbtool.cli.terminal.pager import TerminalOutput

        return TerminalOutput(environment, lines=get_terminal_size().lines, before_stream=before_stream)
    if _is_pipe(environment):
        return SpooledStream(environment.stdout, _STANDARD_OUTPUT, patience=0.0 if spool_at_once else _PATIENCE)
    return StreamOutput(environment.stdout, _STANDARD_OUTPUT)


def _is_pipe(environment: Environment) -> bool:
    try:
        mode = os.fstat(environment.stdout.fileno()).st_mode
    except (OSError, ValueError):  # the caller gave a stream that is no file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def make_writer(environment: Environment, request: RowsRequest, format_: Format, output: ResultOutput) -> Writer:
    """Return a writer for rows that are at hand."""
    return format_.make(output, _terminal_options(environment, request))


def _terminal_options(environment: Environment, request: RowsRequest) -> FormatOptions:
    on_terminal = request.goes_to_terminal(environment)
    return request.options.replaced(terminal=on_terminal, color=uses_color(environment, is_terminal=on_terminal))


class Rows:
    """Where the rows of one command go, be they of a whole script or of a statement at the prompt."""

    def __init__(self, environment: Environment, request: RowsRequest) -> None:
        self._environment = environment
        self._request = request
        self._output: ResultOutput | None = None
        self.is_reader_gone: Callable[[], bool] = lambda: False
        """Says whether whoever read the rows has gone."""

    @property
    def one_result(self) -> str | None:
        """The name of the format, if it holds a single result set and all are to be printed."""
        format_ = choose_format(self._environment, self._request)
        takes_one = format_.holds_one_result and self._request.wanted.selection == Selection()
        return format_.name if takes_one else None

    @property
    def tells_switched(self) -> bool:
        """Say whether the rows go to a script, which may not know of a switch."""
        return not self._environment.stdout_is_terminal

    def open_output(self, *, spool_at_once: bool, before_stream: Callable[[], object] = lambda: None) -> ResultOutput:
        """Open where the rows go, as the function of the same name does. Raises OutputError."""
        self._output = open_output(
            self._environment, self._request, spool_at_once=spool_at_once, before_stream=before_stream
        )
        if self._request.path is None and _is_pipe(self._environment):
            self.is_reader_gone = watch_reader(self._environment.stdout.fileno())
        return self._output

    def leaves_interrupt(self) -> bool:
        """Say whether Ctrl-C belongs to a pager that the rows go to."""
        if self._output is None or not self._request.goes_to_terminal(self._environment):
            return False
        from dbtool.cli.terminal.pager import TerminalOutput  # a terminal's alone

        return isinstance(self._output, TerminalOutput) and self._output.is_paging()

    def make_results(
        self, output: ResultOutput, *, fitting: Callable[[Format], Format] = lambda chosen: chosen
    ) -> Results:
        """Return the sink for a run's result sets; `fitting` may put another format in the chosen one's place."""
        options = _terminal_options(self._environment, self._request)
        chosen = fitting(choose_format(self._environment, self._request))
        return Results(output, chosen, options, self._request.wanted)

    def say_what_was_cut(self, console: Console, results: Results) -> None:
        """Say that a limit has cut the latest result set, if it has."""
        if results.has_more:
            console.note(f"there are more rows: cut at --limit {self._request.wanted.limit}")
