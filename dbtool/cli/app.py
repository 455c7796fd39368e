"""The Typer app, which reads every command line that the quick way in leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import typer

from dbtool import __version__
from dbtool.cli import shield_comment
from dbtool.cli.exits import ExitStatus
from dbtool.cli.lazy import Builder, LazyGroup, build_from, build_group
from dbtool.environment import Environment

_COMMANDS: Mapping[str, Builder] = {
    "query": partial(build_from, "dbtool.cli.query.command"),
    "run": partial(build_from, "dbtool.cli.query.run_command"),
    **{
        name: partial(build_from, "dbtool.cli.catalog.command", f"{name}_app")
        for name in ("tables", "describe", "search", "schema", "activity", "kill")
    },
    "switch": partial(build_from, "dbtool.cli.switch.command"),
    "current": partial(build_from, "dbtool.cli.switch.command", "current_app"),
    "profile": partial(build_from, "dbtool.cli.profile.command"),
    "pool-bench": partial(build_from, "dbtool.cli.pool_bench.command"),
    "completions": partial(build_from, "dbtool.cli.completion.command"),
}
"""The commands, in the order in which help lists them; each is imported once it is named."""

EPILOG = """Examples:

dbtool profile add                            (asks where your database is)

dbtool tables

dbtool describe orders

dbtool query "select * from orders limit 5"

dbtool query -p ./shop.db                     (statements at a prompt)

dbtool help query                             (all about a command)
"""

app = typer.Typer(
    name="dbtool",
    cls=LazyGroup,
    help="A database toolbox: named profiles, exact output, honest exit statuses.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dbtool {__version__}")
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold what stands before a command."""


def build() -> LazyGroup:
    """Return dbtool's commands, each of them still to be built."""
    group = build_group(app)
    group.add_builders(_COMMANDS)
    return group


def run(arguments: Sequence[str], environment: Environment | None = None) -> int:
    """Run the command line `arguments` and return the exit status; no error gets past it."""
    # A host's program has another name; None stands for the one that this process was started by.
    name = None if environment is None else "dbtool"
    words = [shield_comment(argument) for argument in arguments]
    try:
        result = build()(words, prog_name=name, standalone_mode=False, complete_var="")
    except typer.Abort:
        return ExitStatus.INTERRUPTED
    except BaseException as error:
        from dbtool.cli.failing import report_failure  # an error is the only use of it here

        return report_failure(error, arguments, environment)
    return result if isinstance(result, int) else ExitStatus.DONE
