"""Where the reports of pool-bench go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dbtool.bench.reports.report import Report
from dbtool.cli.pool_bench.page import require_plotting, write_html
from dbtool.cli.pool_bench.summary import show_details, summary_columns, summary_rows
from dbtool.cli.terminal.listing import choose_listing_format, print_listing
from dbtool.environment import Environment
from dbtool.records import Record
from dbtool.run.outputs import ResultOutput, open_file_output


class OutputRequest(Record):
    """Where the reports go."""

    json: Path | None = None
    html: Path | None = None
    format_name: str | None = None
    quiet: bool = False


class Outputs:
    """Where the reports go; the files were opened before the test began."""

    def __init__(self, environment: Environment, request: OutputRequest, files: ExitStack) -> None:
        self._environment = environment
        self._request = request
        self._json = _open(request.json, "--json", files, environment.working_directory)
        self._html = _open(request.html, "--html", files, environment.working_directory)

    def write(self, reports: tuple[Report, ...]) -> None:
        """Write the files, the details for people, and the rows."""
        if self._json is not None:
            data = [report.to_json() for report in reports]
            text = json.dumps(data[0] if len(data) == 1 else data, indent=1, allow_nan=False)
            self._json.write(f"{text}\n".encode())
            self._json.commit()
        if self._html is not None:
            write_html(reports, self._html)
        if not self._request.quiet:
            show_details(self._environment, reports)
        name = self._request.format_name
        print_listing(self._environment, summary_columns(), summary_rows(reports), format_name=name)


def _open(path: Path | None, option: str, files: ExitStack, directory: Path) -> ResultOutput | None:
    if path is None:
        return None
    output = open_file_output(path, option, directory=directory)
    # Of what was written whole, nothing is left to discard.
    files.callback(output.discard)
    return output


@contextmanager
def writing(environment: Environment, request: OutputRequest) -> Iterator[Outputs]:
    """Make a block in which something runs that ends in reports; each file is whole after it, or not there.

    Raises UsageError and OutputError for what could not be written, before it runs.
    """
    choose_listing_format(request.format_name, summary_columns())
    if request.html is not None:
        require_plotting()
    with ExitStack() as files:
        yield Outputs(environment, request, files)
