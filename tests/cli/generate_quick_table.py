"""The quick way's table, made from the app: `python -m tests.cli.generate_quick_table` writes it anew."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from typer._click.types import FuncParamType, IntRange, StringParamType
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.models import TyperPath

from dbtool.cli import fast_path, options
from dbtool.cli.app import build

TABLE = Path(fast_path.__file__).with_name("quick_table.py")

_HEAD = '''"""How the quick way in reads the options of the commands that it serves; generated: make completions.

The kinds of values: a flag, a text, texts that are given again and again, a count from 0, a path, and a duration in
seconds. An option that is not here, Typer reads.
"""

from __future__ import annotations
'''
_NAME = re.compile(r"-[a-zA-Z0-9]|--[a-z][a-z-]+")


def render() -> str:
    """Return the module."""
    commands = {name: cast("TyperCommand", build().commands[name]) for name in fast_path.SERVED}
    return "\n".join(
        [
            _HEAD,
            "ARGUMENT: dict[str, tuple[str, str] | None] = {",
            *(f"    {_quote(name)}: {_spell(_find_argument(command))}," for name, command in commands.items()),
            "}",
            '"""The name and the kind of what is no option."""',
            "",
            "OPTIONS: dict[str, dict[str, tuple[str, str]]] = {",
            *_render(commands, _list_options),
            "}",
            '"""Each option\'s name among the values, and the kind of its value."""',
            "",
            "DEFAULTS: dict[str, dict[str, object]] = {",
            *_render(commands, _list_defaults),
            "}",
            '"""Every value of a command, as it is where nothing was given."""',
            "",
        ]
    )


def _render(
    commands: Mapping[str, TyperCommand], list_rows: Callable[[TyperCommand], Mapping[str, object]]
) -> Iterator[str]:
    for name, command in commands.items():
        yield f"    {_quote(name)}: {{"
        for key, value in list_rows(command).items():
            yield f"        {_quote(key)}: {_spell(value)},"
        yield "    },"


def _find_argument(command: TyperCommand) -> tuple[str, str] | None:
    found = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    if not found:
        return None
    (argument,) = found
    _require_plain(argument)
    kind = _find_kind(argument, is_list=argument.nargs == -1)
    assert kind, f"{argument.name}: the quick way cannot read this argument"
    return str(argument.name), kind


def _list_options(command: TyperCommand) -> dict[str, tuple[str, str]]:
    rows = {}
    for option in command.params:
        if not isinstance(option, TyperOption):
            continue
        _require_plain(option)
        kind = "flag" if option.is_flag else _find_kind(option, is_list=option.multiple)
        may_stand_alone = (option.metavar or "").startswith("[")
        is_known = kind and option.nargs == 1 and not option.secondary_opts and not may_stand_alone
        for name in option.opts if is_known else ():
            assert _NAME.fullmatch(name), f"{name}: the quick way cannot tell this from other words"
            rows[name] = (str(option.name), kind)
    return rows


def _require_plain(parameter: TyperArgument | TyperOption) -> None:
    """Fail where more than the command line decides a value, or whether there is one."""
    assert not parameter.envvar, parameter.name
    assert not parameter.required, parameter.name
    assert not parameter.callback, parameter.name
    assert not getattr(parameter, "prompt", None), parameter.name


def _find_kind(parameter: TyperArgument | TyperOption, *, is_list: bool) -> str:
    """Return how the quick way reads a value, nothing where it cannot."""
    kind = parameter.type
    if isinstance(kind, StringParamType):
        return "texts" if is_list else "text"
    if is_list:
        return ""
    if isinstance(kind, IntRange) and (kind.min, kind.max, kind.clamp) == (0, None, False):
        return "count"
    if isinstance(kind, TyperPath) and not kind.exists and not kind.resolve_path:
        return "path"
    return "seconds" if isinstance(kind, FuncParamType) and kind.func is options.parse_seconds else ""


def _list_defaults(command: TyperCommand) -> dict[str, object]:
    """Return what Typer hands to the command's function where nothing is given."""
    assert command.callback
    parameters = inspect.signature(command.callback).parameters
    return {name: parameter.default for name, parameter in parameters.items() if not name.startswith("_")}


def _spell(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_quote(part) for part in value)})"
    return _quote(value) if isinstance(value, str) else repr(value)


def _quote(text: str) -> str:
    assert '"' not in text
    return f'"{text}"'


if __name__ == "__main__":
    TABLE.write_text(render())
