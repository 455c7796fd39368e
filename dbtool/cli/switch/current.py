"""What `dbtool current` does, and what completion asks: it stands in prompts and behind the Tab key."""

from __future__ import annotations

from dbtool.cli.terminal.lines import write_text
from dbtool.environment import Environment, say_nothing
from dbtool.errors import DbtoolError, ProfileError, UsageError
from dbtool.profiles.active.rules import require_one
from dbtool.records import Record

_USAGE = 2


class CurrentRequest(Record):
    """What was asked for."""

    explain: bool = False
    prompt: str | None = None
    profiles: list[str] | None = None
    config: str | None = None
    format_name: str | None = None


def run_current(environment: Environment, request: CurrentRequest) -> int:
    """Print the active profile's name, or what decides it, and return the exit status; raises DbtoolError."""
    if request.explain and request.prompt is not None:
        raise UsageError("give --explain or --prompt, not both")
    if request.format_name is not None and not request.explain:
        raise UsageError("--format goes with --explain: without it, the name alone is printed")
    flag, config = require_one(request.profiles), request.config
    if request.explain:
        from dbtool.cli.switch.explain import explain_current  # reads every profile

        explain_current(environment, flag=flag, config=config, format_name=request.format_name)
        return 0
    if request.prompt is not None:
        return _print_segment(environment, request.prompt, flag=flag, config=config)
    _print_name(environment, flag=flag, config=config)
    return 0


def _print_name(environment: Environment, *, flag: str | None, config: str | None) -> None:
    """Print the active profile's name; raises ProfileError when there is none."""
    from dbtool.profiles.active.rules import Surroundings, find_current

    surroundings = Surroundings(environment=environment, config=config)
    try:
        write_text(environment, f"{find_current(surroundings, flag=flag)}\n")
    finally:
        if surroundings.warning:
            from dbtool.cli.terminal.console import Console

            Console(environment).warn(surroundings.warning)


def _print_segment(environment: Environment, shell: str, *, flag: str | None, config: str | None) -> int:
    """Print a piece of a prompt, and nothing where no profile is active: a prompt is no place to say why."""
    from dbtool.cli.switch.segment import find_marks, render_segment
    from dbtool.profiles.active.rules import Surroundings, find_current
    from dbtool.profiles.active.unchecked import Look, find_look

    marks = find_marks(shell)
    surroundings = Surroundings(environment=environment.replaced(warn=say_nothing), config=config)
    try:
        name = find_current(surroundings, flag=flag)
    except ProfileError:
        return _USAGE
    try:
        look = find_look(surroundings.sources, name)
    except ProfileError:  # a project that takes too long to read must not make a profile look harmless
        look = Look(protected=True)
    write_text(environment, render_segment(name, look, marks))
    return 0


def list_names(environment: Environment, kind: str) -> int:
    """Print the names that completion offers, of profiles or of queries; whatever is wrong, nothing is said of it."""
    from dbtool.profiles.discover import PROFILE_NAME, list_names, list_query_names

    if kind == "described":
        return _list_described(environment)
    list_them = list_names if kind == "profiles" else list_query_names
    try:
        names = [name for name in list_them(environment.replaced(warn=say_nothing)) if PROFILE_NAME.fullmatch(name)]
        write_text(environment, "".join(f"{name}\n" for name in names))
    except DbtoolError:
        return _USAGE
    return 0


def _list_described(environment: Environment) -> int:
    """Print the names of profiles as `list_names` does, each with what it is behind a tab."""
    from dbtool.profiles.active.unchecked import describe_briefly
    from dbtool.profiles.discover import PROFILE_NAME, read_sources

    try:
        sources = read_sources(environment.replaced(warn=say_nothing), brief=True)
        names = dict.fromkeys(name for source in sources.files for name in source.profiles)
        lines = [f"{name}\t{describe_briefly(sources, name)}\n" for name in names if PROFILE_NAME.fullmatch(name)]
        write_text(environment, "".join(lines))
    except DbtoolError:
        return _USAGE
    return 0
