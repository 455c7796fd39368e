"""The completion script for zsh, for a directory of `fpath` or to be sourced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbtool.cli.completion.tree import Choices, Command, Option, Value

_HEAD = """\
#compdef dbtool
# zsh completion for dbtool; generated, do not edit: dbtool completions zsh

_dbtool_names() {
    local -a names
    local config=${DBTOOL_CONFIG-}
    local place=${words[(i)--config]}
    if (( place < CURRENT - 1 )); then config=${(Q)words[place + 1]}; fi
    names=(${(f)"$(DBTOOL_CONFIG=$config command dbtool __complete $1 2>/dev/null)"})
    compadd -a names
}

_dbtool_profiles() {
    _dbtool_names profiles
}

_dbtool_queries() {
    _dbtool_names queries
}

_dbtool_words_or_files() {
    local -a names=("$@")
    _alternative 'names:name:compadd -a names' 'files:file:_files'
}
"""
_TAIL = """\
if [[ $funcstack[1] == _dbtool ]]; then
    _dbtool "$@"
else
    compdef _dbtool dbtool
fi
"""


def render_zsh(root: Command) -> str:
    """Return the script."""
    functions = [line for command in reversed(list(root.walk())) for line in _render_command(command)]
    return "\n".join([_HEAD, *functions, _TAIL])


def _render_command(command: Command) -> Iterator[str]:
    yield f"{_name_function(command)}() {{"
    yield from _render_group(command) if command.children else _render_leaf(command)
    yield "}\n"


def _name_function(command: Command) -> str:
    return "_".join(["_dbtool", *command.path])


def _render_leaf(command: Command) -> Iterator[str]:
    yield "    _arguments -s -S \\"
    yield from _render_options(command)
    action = _render_action(command.argument) if command.argument else ""
    yield f"        '*:argument:{action}'" if command.argument else "        && return 0"


def _render_group(command: Command) -> Iterator[str]:
    yield '    local curcontext="$curcontext" state line'
    yield "    local -a commands"
    yield "    commands=("
    for child in command.children:
        yield f"        '{child.path[-1]}:{_escape(child.help)}'"
    yield "    )"
    yield "    _arguments -C \\"
    yield from _render_options(command)
    yield "        '1:command:->command' '*::argument:->argument'"
    yield "    case $state in"
    yield "        command) _describe -t commands command commands ;;"
    yield "        argument)"
    yield "            case $words[1] in"
    for child in command.children:
        yield f"                {child.path[-1]}) {_name_function(child)} ;;"
    yield "            esac"
    yield "            ;;"
    yield "    esac"


def _render_options(command: Command) -> Iterator[str]:
    for option in command.options:
        yield f"        {_render_option(option)} \\"


def _render_option(option: Option) -> str:
    exclusion = "*" if option.repeats else f"({' '.join(option.names)})"
    rest = f"[{_escape(option.help)}]" + _render_value(option)
    if len(option.names) == 1:
        return f"'{exclusion}{_spell_name(option.names[0], option)}{rest}'"
    names = ",".join(_spell_name(name, option) for name in option.names)
    return f"'{exclusion}'{{{names}}}'{rest}'"


def _spell_name(name: str, option: Option) -> str:
    if option.value is None:
        return name
    if option.may_stand_alone:
        return f"{name}=-"
    return f"{name}=" if name.startswith("--") else f"{name}+"


def _render_value(option: Option) -> str:
    if option.value is None:
        return ""
    colon = "::" if option.may_stand_alone else ":"
    return f"{colon}{option.names[-1].lstrip('-')}:{_render_action(option.value)}"


def _render_action(value: Value) -> str:
    if value.kind in {Choices.PROFILES, Choices.QUERIES}:
        return f"_dbtool_{value.kind.value}"
    if value.kind is Choices.FILES:
        # Behind a blank an action is called as it stands.
        return f" _dbtool_words_or_files {' '.join(value.words)}" if value.words else "_files"
    return f"({' '.join(value.words)})"


def _escape(text: str) -> str:
    """Keep a help text from ending a quoted word or a part of a specification."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")
