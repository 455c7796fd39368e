"""`dbtool tables`, `describe`, `search`, `schema`, `activity` and `kill`: their options, as Typer reads them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from dbtool.cli import options
from dbtool.cli.options import OUTPUT

if TYPE_CHECKING:  # imported once a command runs
    from dbtool.cli.catalog.request import CatalogOptions

_Own = ParamSpec("_Own")


def _share(
    profiles: options.SeveralProfiles = None,
    tag: options.Tag = None,
    all_profiles: options.AllProfiles = False,
    config: options.Config = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    format_name: options.ListingFormat = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write to a file, whole or not at all.", rich_help_panel=OUTPUT
        ),
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="Leave the column names out.", rich_help_panel=OUTPUT)
    ] = False,
    null: Annotated[
        str | None, typer.Option("--null", metavar="TEXT", help="Write NULL as TEXT.", rich_help_panel=OUTPUT)
    ] = None,
    jobs: options.Jobs = None,
    unordered: options.Unordered = False,
    summary: options.Summary = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors and warnings.", rich_help_panel=options.COMMON)
    ] = False,
    _debug: options.Debug = False,
) -> None:
    """List the options that these commands share: the fields of `CatalogOptions`."""


DIFF = "schema diff"
_TABLE_ALONE = ("no_header", "null")
_SEVERAL = ("tag", "all_profiles", "jobs", "unordered", "summary")


def _command(
    epilog: str, *, without: tuple[str, ...] = ()
) -> Callable[[Callable[Concatenate[CatalogOptions, _Own], None]], typer.Typer]:
    """Make a command of a function that takes the shared options as one value, `without` some, and has some itself."""

    def make(work: Callable[Concatenate[CatalogOptions, _Own], None]) -> typer.Typer:
        del work.__annotations__["asked"]  # a type that is imported once a command runs
        own = list(signature(work, eval_str=True).parameters.values())[1:]
        names = {parameter.name for parameter in own}
        shared = [
            parameter
            for parameter in signature(_share, eval_str=True).parameters.values()
            if parameter.name not in names and parameter.name not in without
        ]

        def command(**values: Any) -> None:
            from dbtool.cli.catalog.request import CatalogOptions

            said = {parameter.name: values.pop(parameter.name) for parameter in shared}
            said.pop("_debug")
            work(CatalogOptions(**said), **values)  # type: ignore[call-arg]

        # What Typer reads its options from.
        taken = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in [*own, *shared]]
        command.__signature__ = Signature(taken)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in taken}
        command.__name__, command.__doc__ = work.__name__, work.__doc__
        app = typer.Typer(add_completion=False)
        app.command(name=work.__name__.removesuffix("_app"), epilog=epilog)(command)
        return app

    return make


@_command(
    """Examples:

  dbtool tables

  dbtool tables 'sales.*' -p prod -F csv
"""
)
def tables_app(
    asked: CatalogOptions,
    pattern: Annotated[
        str | None, typer.Argument(metavar="[PATTERN]", help="NAME or SCHEMA.NAME, with * and ? in it.")
    ] = None,
    views: Annotated[bool, typer.Option("--views", help="List views, and foreign tables, as well.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List the system's own, and all databases', as well.")] = False,
) -> None:
    """List a database's tables, with estimates of their size.

    The server's own estimates of rows and bytes: nothing is counted. Case counts in quotes alone, and so do *, ? and
    dots mean themselves there.
    """
    from dbtool.cli.catalog.request import run_tables
    from dbtool.process import command_environment

    run_tables(command_environment(), asked, pattern=pattern, views=views, every=every)


@_command(
    """Examples:

  dbtool describe orders

  dbtool describe 'sales."Order Lines"' -F json
"""
)
def describe_app(
    asked: CatalogOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A table's or a view's name; * and ? stand for others.")],
) -> None:
    """Describe a table or a view: columns, keys, indexes, triggers.

    Foreign keys are shown both ways. With --format csv, tsv or value: the columns alone. With json or ndjson: all of
    it, in the form of `dbtool schema`.
    """
    from dbtool.cli.catalog.request import run_describe
    from dbtool.process import command_environment

    run_describe(command_environment(), asked, name=name)


@_command("Example:  dbtool search invoice -p prod")
def search_app(
    asked: CatalogOptions,
    term: Annotated[str, typer.Argument(metavar="TERM", help="The text to look for; case does not count.")],
) -> None:
    """Find a text in the names, comments and routines of a database.

    No row of a table is read.
    """
    from dbtool.cli.catalog.request import run_search
    from dbtool.process import command_environment

    run_search(command_environment(), asked, term=term)


@_command(
    """Examples:

  dbtool schema orders customers

  dbtool schema -F json -o schema.json

  dbtool schema diff -p staging -p prod

  dbtool schema diff schema.json -p prod --expect-none
""",
    without=_TABLE_ALONE,
)
def schema_app(
    asked: CatalogOptions,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="These tables and views alone; or diff, and a snapshot's file."),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-F",
            metavar="sql|json",
            help="SQL, or the documented JSON; of diff any.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    comments: Annotated[bool, typer.Option("--comments", help="Compare comments, too.", rich_help_panel=DIFF)] = False,
    order: Annotated[
        bool, typer.Option("--order", help="Compare the order of columns, too.", rich_help_panel=DIFF)
    ] = False,
    owners: Annotated[bool, typer.Option("--owners", help="Compare owners, too.", rich_help_panel=DIFF)] = False,
    partitions: Annotated[
        bool, typer.Option("--partitions", help="Compare each partition, too.", rich_help_panel=DIFF)
    ] = False,
    expect_none: Annotated[
        bool, typer.Option("--expect-none", help="Say differences in one line, for a log.", rich_help_panel=DIFF)
    ] = False,
) -> None:
    """Print a database's schema as SQL, or (-F json) as a snapshot.

    For reading and comparing; it is no backup: pg_dump, mysqldump and .backup make those.

    `schema diff` compares the schemas of two profiles, or of a snapshot and a profile: status 5 where they differ. A
    table of that name is `schema '"diff"'`.
    """
    from dbtool.cli.catalog.request import DriftRequest, run_schema, run_schema_diff
    from dbtool.process import command_environment
    from dbtool.schema.comparing import CompareOptions

    asked = asked.replaced(format_name=format_name)
    options_ = CompareOptions(comments=comments, order=order, owners=owners, partitions=partitions)
    drift = DriftRequest(options=options_, expect_none=expect_none)
    if names and names[0] == "diff":
        run_schema_diff(command_environment(), asked, drift, snapshots=names[1:])
        return
    if drift != DriftRequest():
        raise typer.BadParameter("--comments, --order, --owners, --partitions and --expect-none go with schema diff")
    run_schema(command_environment(), asked, names=names or [])


@_command("Example:  dbtool activity --blocked -p prod")
def activity_app(
    asked: CatalogOptions,
    blocked: Annotated[
        bool, typer.Option("--blocked", help="Only sessions that wait for another one, and those that they wait for.")
    ] = False,
    older: Annotated[
        float | None, options.seconds("--older", "Only sessions that have been at it for so long.")
    ] = None,
) -> None:
    """Show who is connected, doing what, and waiting for whom."""
    from dbtool.cli.catalog.request import run_activity
    from dbtool.process import command_environment

    run_activity(command_environment(), asked, blocked=blocked, older=older or 0.0)


@_command("Example:  dbtool kill 4711 -p prod", without=("format_name", "output", *_TABLE_ALONE, *_SEVERAL))
def kill_app(
    asked: CatalogOptions,
    session: Annotated[int, typer.Argument(metavar="ID", help="The session, as dbtool activity calls it.")],
    connection: Annotated[bool, typer.Option("--connection", help="End the whole connection.")] = False,
    profiles: options.Profiles = None,
    confirm: options.Confirm = None,
) -> None:
    """Cancel what a session is running, or end its connection.

    On a protected profile it is asked for the profile's name first.
    """
    from dbtool.cli.catalog.request import run_kill
    from dbtool.process import command_environment
    from dbtool.profiles.active.rules import require_one

    named = require_one(profiles)
    asked = asked.replaced(profiles=None if named is None else [named])
    run_kill(command_environment(), asked, session=session, connection=connection, confirm=confirm)
