"""The quick way in: an ordinary command line is read by a table, because Typer alone takes as long as a small query.

The table is made from Typer's own commands. What it does not plainly say how to read - help, an unknown option, a
value that may be wrong - is left to Typer and its words. That is decided before anything runs: no command runs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from dbtool.cli import shield_comment
from dbtool.environment import Environment

TYPE_CHECKING = False  # `dbtool current` stands in prompts
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Values: TypeAlias = dict[str, Any]

COMPLETE = "__complete"
"""The hidden command that completion scripts call; Typer knows nothing of it."""


_COMPLETED = frozenset({"profiles", "described", "queries"})
"""What it lists: profiles' names, the same with a tab and a word on each, and saved queries' names."""


class _UnclearError(Exception):
    """Typer has to read this command line."""


def run(arguments: Sequence[str], environment: Environment | None = None) -> int:
    """Run a command line and return the exit status.

    Without an environment it has the process's own, and prepares the process. What Typer itself
    prints, help and the version, goes to the process's standard output in either case.
    """
    if environment is None:
        return _run(arguments, None)
    from dbtool.process import running_in  # for a host alone

    with running_in(environment):
        return _run(arguments, environment)


def _run(arguments: Sequence[str], environment: Environment | None) -> int:
    try:
        action = find_action(arguments)
        if action is not None:
            return action(environment or _read_environment())
    except BaseException as error:
        from dbtool.cli.failing import report_failure  # an error is the only use of it here

        return report_failure(error, arguments, environment)
    from dbtool.cli.app import run as run_with_typer  # what the rest of this module is here to avoid

    return run_with_typer(arguments, environment)


def find_action(arguments: Sequence[str]) -> Callable[[Environment], int] | None:
    """Return what an ordinary command line asks for, None where Typer has to read it."""
    if len(arguments) == 2 and arguments[0] == COMPLETE and arguments[1] in _COMPLETED:
        from dbtool.cli.switch.current import list_names

        kind = arguments[1]
        return lambda environment: list_names(environment, kind)
    name = arguments[0] if arguments else ""
    if name not in _COMMANDS:
        return None
    serve, values = _COMMANDS[name], read_values(name, arguments[1:])
    return None if values is None else lambda environment: serve(environment, values)


def read_values(name: str, arguments: Sequence[str]) -> Values | None:
    """Return every value of a command by its name, None where Typer has to read them."""
    from dbtool.cli.quick_table import ARGUMENT, DEFAULTS

    try:
        given = _gather(name, iter([shield_comment(argument) for argument in arguments]), ARGUMENT[name])
    except _UnclearError:
        return None
    return {**DEFAULTS[name], **given}


def _gather(name: str, words: Iterator[str], argument: tuple[str, str] | None) -> Values:
    given: Values = {}
    for word in words:
        is_option = word.startswith("-") and word != "-"
        row, text = _read_option(name, word, words) if is_option else (argument, word)
        if row is None:
            raise _UnclearError
        target, kind = row
        if kind == "texts":
            given.setdefault(target, []).append(text)
        elif target in given:  # which of two it is to be, Typer says
            raise _UnclearError
        else:
            given[target] = True if text is None else _CONVERTERS[kind](text)
    return {target: value for target, value in given.items() if not target.startswith("_")}


def _read_option(name: str, word: str, words: Iterator[str]) -> tuple[tuple[str, str] | None, str | None]:
    """Return what the table says of an option, and its value, taken from the next word if it is not attached."""
    from dbtool.cli.quick_table import OPTIONS

    if word.startswith("--"):
        option, mark, attached = word.partition("=")
    else:
        option, mark, attached = word[:2], word[2:], word[2:]
    row = OPTIONS[name].get(option)
    is_flag = row is not None and row[1] == "flag"
    if is_flag and mark:
        raise _UnclearError
    if is_flag or mark:
        return row, attached if mark else None
    text = next(words, "--")
    if text.startswith("-") and text != "-":  # forgotten, or meant
        raise _UnclearError
    return row, text


def _read_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_COUNT):
        raise _UnclearError
    return int(text)


def _read_path(text: str) -> object:
    from pathlib import Path

    return Path(text)


def _read_seconds(text: str) -> float:
    from dbtool.text import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise _UnclearError from error


_LONGEST_COUNT = 18
"""Digits of a number that any machine can hold; Python refuses to read one of thousands."""

_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "text": str,
    "count": _read_count,
    "path": _read_path,
    "seconds": _read_seconds,
}
"""How each kind of value is read that may be given once."""


def _query(environment: Environment, values: Values) -> int:
    from dbtool.cli.query.request import QueryOptions, run_query

    run_query(environment, QueryOptions(**values))
    return 0


def _run_saved(environment: Environment, values: Values) -> int:
    from dbtool.cli.query.request import QueryOptions
    from dbtool.cli.query.saved import run_saved

    name = values.pop("name")
    run_saved(environment, QueryOptions(**values), name=name)
    return 0


def _current(environment: Environment, values: Values) -> int:
    from dbtool.cli.switch.current import CurrentRequest, run_current

    return run_current(environment, CurrentRequest(**values))


def _switch(environment: Environment, values: Values) -> int:
    from dbtool.cli.switch.switching import Switcher, SwitchRequest

    Switcher(environment, SwitchRequest(**values)).run()
    return 0


def _tables(environment: Environment, values: Values) -> int:
    from dbtool.cli.catalog.request import CatalogOptions, run_tables

    own = {name: values.pop(name) for name in ("pattern", "views", "every")}
    run_tables(environment, CatalogOptions(**values), **own)
    return 0


_COMMANDS: Mapping[str, Callable[[Environment, Values], int]] = {
    "query": _query,
    "run": _run_saved,
    "tables": _tables,
    "current": _current,
    "switch": _switch,
}
"""The commands that have the quick way: what Typer's function of each calls as well."""

SERVED = tuple(_COMMANDS)


def _read_environment() -> Environment:
    from dbtool.process import process_environment

    return process_environment()
