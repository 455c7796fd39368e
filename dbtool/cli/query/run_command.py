"""`dbtool run`: its options, as Typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from dbtool.cli import options
from dbtool.cli.query import options as given

EPILOG = """Examples:

  dbtool run

  dbtool run orders-of -v customer:=7 -p staging

  dbtool run orders-of -v customer:=7 -F json
"""


def run(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[QUERY]", help="The query's name in a profile file; without one, they are listed."),
    ] = None,
    param: given.Param = None,
    single_transaction: given.SingleTransaction = False,
    dry_run: given.DryRun = False,
    write: given.Write = False,
    confirm: options.Confirmed = None,
    profiles: options.SeveralProfiles = None,
    tag: options.Tag = None,
    all_profiles: options.AllProfiles = False,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    statement_timeout: given.StatementTimeout = None,
    format_name: options.FormatName = None,
    output: given.Output = None,
    limit: given.Limit = None,
    result: given.Result = "all",
    no_header: given.NoHeader = False,
    null: given.Null = None,
    json_numbers: given.JsonNumbers = "digits",
    expect_rows: given.ExpectRows = None,
    expect_value: given.ExpectValue = None,
    expect_same: given.ExpectSame = False,
    jobs: options.Jobs = None,
    columns: given.Columns = None,
    unordered: options.Unordered = False,
    canary: given.Canary = False,
    summary: options.Summary = None,
    stats: given.Stats = False,
    quiet: given.Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Run a saved query on a profile's database.

    A saved query is a table `queries.NAME` of a profile file.

    It runs as `dbtool query` would run its SQL, and every :NAME in it is a parameter that -v has to give.

    A project's queries run once `dbtool profile trust` has shown them.
    """
    from dbtool.cli.query.request import QueryOptions
    from dbtool.cli.query.saved import run_saved
    from dbtool.process import command_environment

    asked = QueryOptions(
        param=param,
        single_transaction=single_transaction,
        dry_run=dry_run,
        write=write,
        confirm=confirm,
        profiles=profiles,
        tag=tag,
        all_profiles=all_profiles,
        jobs=jobs,
        unordered=unordered,
        columns=columns,
        summary=summary,
        canary=canary,
        expect_same=expect_same,
        config=config,
        wait=wait,
        timeout=timeout,
        statement_timeout=statement_timeout,
        format_name=format_name,
        output=output,
        limit=limit,
        result=result,
        no_header=no_header,
        null=null,
        json_numbers=json_numbers,
        expect_rows=expect_rows,
        expect_value=expect_value,
        stats=stats,
        quiet=quiet,
    )
    run_saved(command_environment(), asked, name=name)


app = typer.Typer(add_completion=False)
app.command(name="run", epilog=EPILOG)(run)
