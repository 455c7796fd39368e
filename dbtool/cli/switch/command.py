"""`dbtool switch` and `dbtool current`: their options, as Typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from dbtool.cli import options
from dbtool.cli.lazy import ExactCommand

SWITCH_EPILOG = """Examples:

  dbtool switch staging

  dbtool switch -

  dbtool switch prod --for 15m

  eval "$(dbtool switch prod --shell)"
"""
CURRENT_EPILOG = "Example:  dbtool current --explain"


class SwitchCommand(ExactCommand):
    """Lets `--shell` stand without a value, which Typer's options cannot."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read the arguments, a `--shell` without a shell as one that asks to find out."""
        from dbtool.cli.switch.shells import SHELLS  # not for `--help` of another command

        spelled = [
            f"{word}=detect" if word == "--shell" and following not in SHELLS else word
            for word, following in zip(args, [*args, ""][1:], strict=True)
        ]
        return super().parse_args(ctx, spelled)


def switch(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|-]", help="Profile to make active; - for the one before.")
    ] = None,
    seconds: Annotated[
        float | None,
        options.seconds("--for", "Fall back by itself after this long."),
    ] = None,
    shell: Annotated[
        str | None,
        typer.Option(
            "--shell",
            metavar="[bash|zsh|fish|powershell]",
            help="Print what eval needs to switch one shell only; the shell is told from SHELL.",
        ),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Switch to no profile.")] = False,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="NAME", help="Confirm by its name that a protected profile is to stay."),
    ] = None,
    config: options.Config = None,
    format_name: options.ListingFormat = None,
    _debug: options.Debug = False,
) -> None:
    """Make a profile the active one for later commands.

    Without a name, list the profiles with the active one marked; on a terminal, pick one.
    """
    from dbtool.cli.switch.switching import Switcher, SwitchRequest
    from dbtool.process import command_environment

    request = SwitchRequest(
        name=name, seconds=seconds, shell=shell, unset=unset, confirm=confirm, config=config, format_name=format_name
    )
    Switcher(command_environment(), request).run()


def current(
    explain: Annotated[bool, typer.Option("--explain", help="Show what every rule says, and which one won.")] = False,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            metavar="bash|zsh|plain",
            help="Print the name in its profile's color, as a piece of a prompt.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    profiles: options.Profiles = None,
    config: options.Config = None,
    format_name: options.ListingFormat = None,
    _debug: options.Debug = False,
) -> None:
    """Print the active profile's name.

    Exit status 2 when there is none.
    """
    from dbtool.cli.switch.current import CurrentRequest, run_current
    from dbtool.process import command_environment

    request = CurrentRequest(explain=explain, prompt=prompt, profiles=profiles, config=config, format_name=format_name)
    raise typer.Exit(run_current(command_environment(), request))


app = typer.Typer(add_completion=False)
app.command(name="switch", cls=SwitchCommand, epilog=SWITCH_EPILOG)(switch)

current_app = typer.Typer(add_completion=False)
current_app.command(name="current", epilog=CURRENT_EPILOG)(current)
