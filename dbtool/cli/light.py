"""What stands in prompts and behind the Tab key, answered before Typer is imported.

Each answer is the one that the whole command line gives; anything that is not spelled exactly so, and
anything unexpected, is left to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbtool.cli.segment import PROMPT_SHELLS, render_segment
from dbtool.environment import Environment
from dbtool.errors import DbtoolError

COMPLETE = "__complete"
"""The hidden command that completion scripts call."""


def answer(environment: Environment, arguments: Sequence[str]) -> int | None:
    """Answer a command that needs little and return its exit status, or None where the app has to."""
    match arguments:
        case ["current"]:
            return _say_current(environment)
        case ["current", "--prompt", shell] if shell in PROMPT_SHELLS:
            return _say_segment(environment, shell)
        case [command, "profiles"] if command == COMPLETE:
            return _list_names(environment)
    return None


def _say_current(environment: Environment) -> int:
    from dbtool.cli.lines import write_text  # noqa: PLC0415 - one of three answers
    from dbtool.profiles.active import Surroundings, find_current  # noqa: PLC0415

    surroundings = Surroundings(environment=environment)
    try:
        name = find_current(surroundings)
        write_text(environment, f"{name}\n")
    except DbtoolError as error:
        from dbtool.cli.exits import status_of  # noqa: PLC0415 - only a failure needs them

        _tell(environment, surroundings.warning, str(error))
        return status_of(error)
    _tell(environment, surroundings.warning, None)
    return 0


def _tell(environment: Environment, warning: str | None, error: str | None) -> None:
    if not warning and not error:
        return
    from dbtool.cli.console import Console  # noqa: PLC0415 - rare

    console = Console(environment)
    if warning:
        console.warn(warning)
    if error:
        console.error(error)


def _say_segment(environment: Environment, shell: str) -> int:
    """Print a prompt's segment; where there is none, a prompt is no place to say why."""
    from dbtool.cli.exits import status_of  # noqa: PLC0415 - one of three answers
    from dbtool.cli.lines import write_text  # noqa: PLC0415
    from dbtool.profiles.active import Surroundings, find_current  # noqa: PLC0415
    from dbtool.profiles.look import find_look  # noqa: PLC0415

    surroundings = Surroundings(environment=environment)
    try:
        name = find_current(surroundings)
        write_text(environment, render_segment(name, find_look(surroundings.sources, name), shell))
    except DbtoolError as error:
        return status_of(error)
    return 0


def _list_names(environment: Environment) -> int:
    from dbtool.cli.lines import write_text  # noqa: PLC0415 - one of three answers
    from dbtool.profiles.discover import PROFILE_NAME, list_names  # noqa: PLC0415

    try:
        names = [name for name in list_names(environment) if PROFILE_NAME.fullmatch(name)]
        write_text(environment, "".join(f"{name}\n" for name in names))
    except DbtoolError:
        return 0
    return 0
