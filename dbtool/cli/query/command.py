"""`dbtool query`: its options, as Typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from dbtool.cli import options
from dbtool.cli.options import OUTPUT, SAFETY, SQL
from dbtool.cli.query import options as given

EPILOG = """Examples:

  dbtool query "select * from orders where id = :id" -v id:=7

  dbtool query -f schema.sql -f data.sql --single-transaction -p staging

  pg_dump shop | dbtool query -p ci --result none -

  dbtool query -p prod -F json "select * from customers" -o customers.json

  dbtool query -p 'eu-*' "select count(*) from orders"

  dbtool query -p prod                      (a prompt, on a terminal)
"""


def query(
    sql: Annotated[
        list[str] | None, typer.Argument(metavar="[SQL]...", help="SQL to run; - reads standard input.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="PATH", help="Run this file (repeatable).", rich_help_panel=SQL),
    ] = None,
    param: given.Param = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="The encoding of the session and of SQL files, as latin1; UTF-8 otherwise.",
            rich_help_panel=SQL,
        ),
    ] = None,
    single_transaction: given.SingleTransaction = False,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Run on after an error; the exit status still tells.", rich_help_panel=SQL),
    ] = False,
    local_infile: Annotated[
        list[str] | None,
        typer.Option(
            "--local-infile",
            metavar="FILE",
            help="Let LOAD DATA LOCAL INFILE send this file to the server (repeatable; MySQL, MariaDB).",
            rich_help_panel=SAFETY,
        ),
    ] = None,
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
    invalid_text: Annotated[
        str,
        typer.Option(
            "--invalid-text",
            metavar="error|replace|escape",
            help="Write bytes that are no text as U+FFFD or as \\xNN, counted on stderr.",
            rich_help_panel=OUTPUT,
        ),
    ] = "error",
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
    """Run SQL on a profile's database.

    SQL comes from arguments, files or standard input; on a terminal without any, from a prompt.

    Each statement commits by itself, and the first failure stops the run.

    Rows go to stdout, everything else to stderr.
    """
    # Imported here, as every command's work is: `--help` and the other commands need none of it.
    from dbtool.cli.query.request import QueryOptions, run_query
    from dbtool.process import command_environment

    asked = QueryOptions(
        sql=sql,
        file=file,
        param=param,
        local_infile=local_infile,
        encoding=encoding,
        single_transaction=single_transaction,
        keep_going=keep_going,
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
        invalid_text=invalid_text,
        expect_rows=expect_rows,
        expect_value=expect_value,
        stats=stats,
        quiet=quiet,
    )
    run_query(command_environment(), asked)


app = typer.Typer(add_completion=False)
app.command(name="query", epilog=EPILOG)(query)
