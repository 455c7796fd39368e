"""`dbtool completions`: its arguments, as Typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

from dbtool.cli import options

EPILOG = """Examples:

  eval "$(dbtool completions bash)"

  dbtool completions fish > ~/.config/fish/completions/dbtool.fish
"""


def completions(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish|powershell", help="Shell to print the script for.")],
    _debug: options.Debug = False,
) -> None:
    """Print the script that completes dbtool's words in a shell."""
    from dbtool.cli.app import build  # this command is a part of it
    from dbtool.cli.completion import render_completions
    from dbtool.cli.terminal.lines import write_text
    from dbtool.process import command_environment

    write_text(command_environment(), render_completions(build(), shell))


app = typer.Typer(add_completion=False)
app.command(name="completions", epilog=EPILOG)(completions)
