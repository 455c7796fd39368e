"""`dbtool query`: its options, as Typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dbtool.cli import options
from dbtool.cli.options import CHECKS, OUTPUT, SAFETY, SQL, TIME

EPILOG = """Examples:

  dbtool query "select * from orders where id = :id" -v id:=7

  dbtool query -f schema.sql -f data.sql --single-transaction -p staging

  pg_dump shop | dbtool query -p ci --result none -

  dbtool query -p prod -F json "select * from customers" -o customers.json

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
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-v",
            metavar="NAME=TEXT",
            help="Bind :NAME to a text; NAME:=JSON to a number, true, false or null; NAME@=FILE to a file's content.",
            rich_help_panel=SQL,
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="The encoding of the session and of SQL files, as latin1; UTF-8 otherwise.",
            rich_help_panel=SQL,
        ),
    ] = None,
    single_transaction: Annotated[
        bool,
        typer.Option("--single-transaction", "-1", help="Run everything in one transaction.", rich_help_panel=SQL),
    ] = False,
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run in one transaction, and roll it back.", rich_help_panel=SAFETY)
    ] = False,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Allow writes on a protected profile; a script has to name it (--profile, DBTOOL_PROFILE).",
            rich_help_panel=SAFETY,
        ),
    ] = False,
    confirm: options.Confirm = None,
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    statement_timeout: Annotated[
        float | None,
        options.seconds("--statement-timeout", "The server's limit for each statement; 0 is none.", panel=TIME),
    ] = None,
    format_name: options.FormatName = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write rows to a file, whole or not at all.", rich_help_panel=OUTPUT
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", metavar="N", min=0, help="At most N rows a result.", rich_help_panel=OUTPUT),
    ] = None,
    result: Annotated[
        str,
        typer.Option(
            "--result",
            metavar="all|last|none|N",
            help="Which of several result sets to print.",
            rich_help_panel=OUTPUT,
        ),
    ] = "all",
    no_header: Annotated[
        bool, typer.Option("--no-header", help="Leave the column names out.", rich_help_panel=OUTPUT)
    ] = False,
    null: Annotated[
        str | None, typer.Option("--null", metavar="TEXT", help="Write NULL as TEXT.", rich_help_panel=OUTPUT)
    ] = None,
    json_numbers: Annotated[
        str,
        typer.Option(
            "--json-numbers",
            metavar="digits|string",
            help="Write numbers that a float cannot hold as digits or as strings.",
            rich_help_panel=OUTPUT,
        ),
    ] = "digits",
    invalid_text: Annotated[
        str,
        typer.Option(
            "--invalid-text",
            metavar="error|replace|escape",
            help="Write bytes that are no text as U+FFFD or as \\xNN, counted on stderr.",
            rich_help_panel=OUTPUT,
        ),
    ] = "error",
    expect_rows: Annotated[
        str | None,
        typer.Option(
            "--expect-rows", metavar="N|'>=1'", help="Fail (5) on another number of rows.", rich_help_panel=CHECKS
        ),
    ] = None,
    expect_value: Annotated[
        str | None,
        typer.Option(
            "--expect-value", metavar="TEXT", help="Fail (5) unless one row starts with TEXT.", rich_help_panel=CHECKS
        ),
    ] = None,
    stats: Annotated[
        bool, typer.Option("--stats", help="Write counts and times to stderr as JSON.", rich_help_panel=CHECKS)
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Say nothing but errors and warnings.", rich_help_panel=options.COMMON),
    ] = False,
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
        profile=profile,
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
