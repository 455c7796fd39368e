"""`dbtool profile`: its subcommands and their options, as Typer reads them."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from dbtool.cli import options
from dbtool.cli.lazy import LazyGroup
from dbtool.cli.profile import change_commands as profile_edit

app = typer.Typer(cls=LazyGroup, help="List, show, check, change and trust profiles.", no_args_is_help=True)

_Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME|URL]...", help="Profiles to check, or URLs, or SQLite files' paths."),
]
_Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="WORD", help="Only profiles with this tag (repeatable: with all).")
]
_Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,...",
        help="These columns, as -F value --columns name.",
        rich_help_panel=options.OUTPUT,
    ),
]


@app.command(name="list", epilog="Example:  dbtool profile list -F value --columns name")
def list_profiles(
    tags: _Tags = None,
    columns: _Columns = None,
    config: options.Config = None,
    format_name: options.ListingFormat = None,
    _debug: options.Debug = False,
) -> None:
    """List every profile, with the active one marked, and the file and line that hold it."""
    from dbtool.cli.profile.show import ListRequest
    from dbtool.cli.profile.show import list_profiles as run
    from dbtool.process import command_environment

    request = ListRequest(tags=tuple(tags or ()), columns=columns, config=config, format_name=format_name)
    run(command_environment(), request)


@app.command(epilog="Example:  dbtool profile show prod")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Profile to show.")],
    config: options.Config = None,
    format_name: options.ListingFormat = None,
    _debug: options.Debug = False,
) -> None:
    """Show what a profile says, what it inherits and what is left at its default; secrets stay masked."""
    from dbtool.cli.profile.show import show_profile
    from dbtool.process import command_environment

    show_profile(command_environment(), name, config=config, format_name=format_name)


@app.command(epilog="Example:  dbtool profile check --all --wait 30s -F junit > report.xml")
def check(
    names: _Names = None,
    every: Annotated[bool, typer.Option("--all", help="Check every profile.")] = False,
    tags: _Tags = None,
    profiles: options.Profiles = None,
    columns: _Columns = None,
    wait: options.Wait = None,
    timeout: options.Timeout = None,
    config: options.Config = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", "-F", metavar="NAME", help="As for query, or junit.", rich_help_panel=options.OUTPUT),
    ] = None,
    _debug: options.Debug = False,
) -> None:
    """Connect to profiles and report: secret, TLS, server version, latency, read-only or not.

    Without a name, the active profile. --tag checks all with a tag.

    Exit status 3 if one cannot be reached, 2 if one cannot work as it is written.
    """
    from dbtool.actions.connect import Limits
    from dbtool.cli.profile.check import CheckRequest, check_profiles
    from dbtool.process import command_environment

    request = CheckRequest(
        names=(*(names or ()), *(profiles or ())),
        every=every,
        tags=tuple(tags or ()),
        columns=columns,
        config=config,
        format_name=format_name,
    )
    status = check_profiles(
        command_environment(), request, Limits(timeout=timeout, wait=wait or 0.0, started=time.monotonic())
    )
    if status:
        raise typer.Exit(status)


@app.command(epilog="Example:  dbtool profile path")
def path(
    config: options.Config = None, format_name: options.ListingFormat = None, _debug: options.Debug = False
) -> None:
    """List the files that profiles are read from, and those that were passed over."""
    from dbtool.cli.profile.show import list_files
    from dbtool.process import command_environment

    list_files(command_environment(), config=config, format_name=format_name)


@app.command(epilog="Example:  dbtool profile trust")
def trust(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, _debug: options.Debug = False
) -> None:
    """Trust this project's files as they are now, with what they refer to: secrets, variables, other files.

    It shows what that is, and what changed since the last time, and asks on a terminal. A change asks for trust again.
    """
    from dbtool.cli.profile.trust import trust_files
    from dbtool.process import command_environment

    trust_files(command_environment(), yes=yes)


profile_edit.register(app)
