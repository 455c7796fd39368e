"""`dbtool tables`, `describe`, `search`, `schema`, `activity` and `kill`: their options, as Typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from dbtool.cli import options
from dbtool.cli.options import OUTPUT

_Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to a file, whole or not at all.", rich_help_panel=OUTPUT
    ),
]
_NoHeader: TypeAlias = Annotated[
    bool, typer.Option("--no-header", help="Leave the column names out.", rich_help_panel=OUTPUT)
]
_Null: TypeAlias = Annotated[
    str | None, typer.Option("--null", metavar="TEXT", help="Write NULL as TEXT.", rich_help_panel=OUTPUT)
]
_Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors and warnings.", rich_help_panel=options.COMMON)
]


def tables(
    pattern: Annotated[
        str | None, typer.Argument(metavar="[PATTERN]", help="NAME or SCHEMA.NAME, with * and ? in it.")
    ] = None,
    views: Annotated[bool, typer.Option("--views", help="List views, and foreign tables, as well.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List the system's own, and all databases', as well.")] = False,
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    format_name: options.ListingFormat = None,
    output: _Output = None,
    no_header: _NoHeader = False,
    null: _Null = None,
    quiet: _Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """List a database's tables, with the server's own estimates of their rows and bytes.

    Case counts in quotes alone, and so do *, ? and dots mean themselves there.
    """
    from dbtool.cli.catalog.request import CatalogOptions, run_tables
    from dbtool.process import command_environment

    asked = CatalogOptions(
        profile=profile,
        config=config,
        wait=wait,
        timeout=timeout,
        format_name=format_name,
        output=output,
        no_header=no_header,
        null=null,
        quiet=quiet,
    )
    run_tables(command_environment(), asked, pattern=pattern, views=views, every=every)


def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A table's or a view's name; * and ? stand for others.")],
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    format_name: options.ListingFormat = None,
    output: _Output = None,
    no_header: _NoHeader = False,
    null: _Null = None,
    quiet: _Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Describe a table or a view: columns, keys both ways, indexes, checks, triggers.

    With --format csv, tsv or value: the columns alone. With json or ndjson: all of it, in the form of `dbtool schema`.
    """
    from dbtool.cli.catalog.request import CatalogOptions, run_describe
    from dbtool.process import command_environment

    asked = CatalogOptions(
        profile=profile,
        config=config,
        wait=wait,
        timeout=timeout,
        format_name=format_name,
        output=output,
        no_header=no_header,
        null=null,
        quiet=quiet,
    )
    run_describe(command_environment(), asked, name=name)


def search(
    term: Annotated[str, typer.Argument(metavar="TERM", help="The text to look for; case does not count.")],
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    format_name: options.ListingFormat = None,
    output: _Output = None,
    no_header: _NoHeader = False,
    null: _Null = None,
    quiet: _Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Find a text in the names, the comments and the routines of a database; no row of a table is read."""
    from dbtool.cli.catalog.request import CatalogOptions, run_search
    from dbtool.process import command_environment

    asked = CatalogOptions(
        profile=profile,
        config=config,
        wait=wait,
        timeout=timeout,
        format_name=format_name,
        output=output,
        no_header=no_header,
        null=null,
        quiet=quiet,
    )
    run_search(command_environment(), asked, term=term)


def schema(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="These tables and views alone.")
    ] = None,
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", "-F", metavar="sql|json", help="SQL, or the documented JSON.", rich_help_panel=OUTPUT),
    ] = None,
    output: _Output = None,
    quiet: _Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Print the statements that would make a database's schema anew, or (-F json) a snapshot of it.

    For reading and comparing; it is no backup: pg_dump, mysqldump and .backup make those.
    """
    from dbtool.cli.catalog.request import CatalogOptions, run_schema
    from dbtool.process import command_environment

    asked = CatalogOptions(
        profile=profile, config=config, wait=wait, timeout=timeout, format_name=format_name, output=output, quiet=quiet
    )
    run_schema(command_environment(), asked, names=names or [])


def activity(
    blocked: Annotated[
        bool, typer.Option("--blocked", help="Only sessions that wait for another one, and those that they wait for.")
    ] = False,
    older: Annotated[
        float | None, options.seconds("--older", "Only sessions that have been at it for so long.")
    ] = None,
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    format_name: options.ListingFormat = None,
    output: _Output = None,
    no_header: _NoHeader = False,
    null: _Null = None,
    quiet: _Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Show who is connected to a server, doing what, for how long, and waiting for whom."""
    from dbtool.cli.catalog.request import CatalogOptions, run_activity
    from dbtool.process import command_environment

    asked = CatalogOptions(
        profile=profile,
        config=config,
        wait=wait,
        timeout=timeout,
        format_name=format_name,
        output=output,
        no_header=no_header,
        null=null,
        quiet=quiet,
    )
    run_activity(command_environment(), asked, blocked=blocked, older=older or 0.0)


def kill(
    session: Annotated[int, typer.Argument(metavar="ID", help="The session, as dbtool activity calls it.")],
    connection: Annotated[bool, typer.Option("--connection", help="End the whole connection.")] = False,
    confirm: options.Confirm = None,
    profile: options.Profile = None,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    quiet: _Quiet = False,
    _debug: options.Debug = False,
) -> None:
    """Cancel what a session is running, or end its connection.

    On a protected profile it is asked for the profile's name first.
    """
    from dbtool.cli.catalog.request import CatalogOptions, run_kill
    from dbtool.process import command_environment

    asked = CatalogOptions(profile=profile, config=config, wait=wait, timeout=timeout, quiet=quiet)
    run_kill(command_environment(), asked, session=session, connection=connection, confirm=confirm)


_EPILOGS = {
    tables: """Examples:

  dbtool tables

  dbtool tables 'sales.*' -p prod -F csv
""",
    describe: """Examples:

  dbtool describe orders

  dbtool describe 'sales."Order Lines"' -F json
""",
    search: "Example:  dbtool search invoice -p prod",
    schema: """Examples:

  dbtool schema orders customers

  dbtool schema -F json -o schema.json
""",
    activity: "Example:  dbtool activity --blocked -p prod",
    kill: "Example:  dbtool kill 4711 -p prod",
}


def _make_app(command: object) -> typer.Typer:
    app = typer.Typer(add_completion=False)
    app.command(epilog=_EPILOGS[command])(command)  # type: ignore[index, type-var]
    return app


tables_app, describe_app, search_app, schema_app, activity_app, kill_app = map(_make_app, _EPILOGS)
