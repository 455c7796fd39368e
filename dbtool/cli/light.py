"""What stands in prompts, behind the Tab key or in everyday use, answered before Typer is imported.

Typer's commands call the same functions. A command line that is not spelled exactly as below, and
anything unexpected, is left to the whole app.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbtool.cli.lines import write_text
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, ProfileError

COMPLETE = "__complete"
"""The hidden command that completion scripts call."""

_USAGE, _INTERRUPTED = 2, 130


def answer(environment: Environment, arguments: Sequence[str]) -> int | None:
    """Answer a command that needs little and return its exit status, or None where the app has to."""
    action = _find_action(arguments)
    if action is None:
        return None
    try:
        return action(environment)
    except DbtoolError as error:
        from dbtool.cli.console import Console  # only a failure needs them
        from dbtool.cli.exits import status_of

        Console(environment).error(str(error))
        return status_of(error)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _find_action(arguments: Sequence[str]) -> Callable[[Environment], int] | None:
    match arguments:
        case ["current"]:
            return print_current
        case ["current", "--prompt", shell]:
            return lambda environment: print_segment(environment, shell)
        case ["switch", name] if name == "-" or not name.startswith("-"):
            return lambda environment: _switch(environment, name)
        case [command, "profiles"] if command == COMPLETE:
            return _list_names
    return None


def print_current(environment: Environment, *, flag: str | None = None, config: str | None = None) -> int:
    """Print the active profile's name; raises ProfileError when there is none."""
    from dbtool.profiles.active import Surroundings, find_current

    surroundings = Surroundings(environment=environment, config=config)
    try:
        write_text(environment, f"{find_current(surroundings, flag=flag)}\n")
    finally:
        if surroundings.warning:
            from dbtool.cli.console import Console

            Console(environment).warn(surroundings.warning)
    return 0


def print_segment(environment: Environment, shell: str, *, flag: str | None = None, config: str | None = None) -> int:
    """Print a piece of a prompt, and nothing where no profile is active: a prompt is no place to say why."""
    from dbtool.cli.segment import find_marks, render_segment
    from dbtool.profiles.active import Surroundings, find_current
    from dbtool.profiles.look import find_look

    marks = find_marks(shell)
    surroundings = Surroundings(environment=environment, config=config)
    try:
        name = find_current(surroundings, flag=flag)
        look = find_look(surroundings.sources, name)
    except ProfileError:
        return _USAGE
    write_text(environment, render_segment(name, look, marks))
    return 0


def _switch(environment: Environment, name: str) -> int:
    from dbtool.cli.switching import Switcher, SwitchRequest

    Switcher(environment, SwitchRequest(name=name)).run()
    return 0


def _list_names(environment: Environment) -> int:
    """Print the names that completion offers; whatever is wrong, nothing is said into a line being typed."""
    from dbtool.profiles.discover import PROFILE_NAME, list_names

    try:
        names = [name for name in list_names(environment) if PROFILE_NAME.fullmatch(name)]
        write_text(environment, "".join(f"{name}\n" for name in names))
    except DbtoolError:
        return _USAGE
    return 0
