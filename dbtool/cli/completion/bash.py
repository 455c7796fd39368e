"""The completion script for bash: 3.2 and later, with or without the bash-completion package."""

from __future__ import annotations

from collections.abc import Iterator

from dbtool.cli.completion.tree import Choices, Command, Option, Value

_HEAD = """\
# bash completion for dbtool; generated, do not edit: dbtool completions bash

_dbtool_names() {
    DBTOOL_CONFIG=${2:-${DBTOOL_CONFIG-}} dbtool __complete "$1" 2>/dev/null
}
"""
_MAIN = """\
_dbtool() {
    local current=${COMP_WORDS[COMP_CWORD]} previous='' command='' config='' word kind='' number
    COMPREPLY=()
    if ((COMP_CWORD > 0)); then previous=${COMP_WORDS[COMP_CWORD - 1]}; fi
    # bash cuts --option=value into three words.
    if [[ $current == '=' ]]; then
        current=''
    elif [[ $previous == '=' ]] && ((COMP_CWORD > 1)); then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((number = 1; number < COMP_CWORD; number++)); do
        word=${COMP_WORDS[number]}
        if [[ $word == --config ]]; then
            config=${COMP_WORDS[number + 1]}
            if [[ $config == '=' ]]; then config=${COMP_WORDS[number + 2]-}; fi
        elif [[ $word != -* ]] && _dbtool_is_command "$command $word"; then
            command="$command $word"
        fi
    done
    kind=$(_dbtool_kind "$command" "$previous")
    if [[ -z $kind && $current == -* ]]; then
        kind="words $(_dbtool_options "$command")"
    elif [[ -z $kind ]]; then
        kind=$(_dbtool_kind "$command" '')
    fi
    case $kind in
        files) return ;;
        # Where no word fits, it is a file.
        'files '*) COMPREPLY=($(compgen -W "${kind#files }" -- "$current")); return ;;
        profiles | queries) word=$(_dbtool_names "$kind" "$config") ;;
        'words '*) word=${kind#words } ;;
        *) word='' ;;
    esac
    # Without a name that fits, a profile may still be a file.
    if [[ $kind != profiles ]]; then compopt +o default 2>/dev/null; fi
    # Every word is made of letters, digits and dashes: nothing in it can be expanded.
    COMPREPLY=($(compgen -W "$word" -- "$current"))
}

complete -o default -F _dbtool dbtool
"""


def render_bash(root: Command) -> str:
    """Return the script."""
    commands = list(root.walk())
    return "\n".join(
        [
            _HEAD,
            *_render_function("_dbtool_is_command", _list_commands(commands), "return 1"),
            *_render_function("_dbtool_options", _list_options(commands), ""),
            *_render_function("_dbtool_kind", _list_kinds(commands), "", subject="$1 $2"),
            _MAIN,
        ]
    )


def _render_function(name: str, cases: Iterator[tuple[str, str]], otherwise: str, subject: str = "$1") -> Iterator[str]:
    yield f"{name}() {{"
    yield f'    case "{subject}" in'
    for pattern, action in cases:
        yield f"        {pattern}) {action} ;;"
    if otherwise:
        yield f"        *) {otherwise} ;;"
    yield "    esac"
    yield "}\n"


def _spell_path(command: Command) -> str:
    return "".join(f" {word}" for word in command.path)


def _list_commands(commands: list[Command]) -> Iterator[tuple[str, str]]:
    for command in commands:
        if command.path:
            yield f"'{_spell_path(command)}'", "return 0"


def _list_options(commands: list[Command]) -> Iterator[tuple[str, str]]:
    for command in commands:
        names = " ".join(name for option in command.options for name in option.names)
        yield f"'{_spell_path(command)}'", f"echo '{names}'"


def _list_kinds(commands: list[Command]) -> Iterator[tuple[str, str]]:
    """Say what each option takes, and each command for itself; the last case of a command stands for its argument."""
    for command in commands:
        path = _spell_path(command)
        for option in command.options:
            if option.value:
                yield _spell_cases(path, option), f"echo '{_spell_kind(option.value)}'"
        own = _spell_own(command)
        if own:
            yield f"'{path} '", f"echo '{own}'"


def _spell_cases(path: str, option: Option) -> str:
    return "|".join(f"'{path} {name}'" for name in option.names)


def _spell_own(command: Command) -> str:
    if command.children:
        return "words " + " ".join(child.path[-1] for child in command.children)
    return _spell_kind(command.argument) if command.argument else ""


def _spell_kind(value: Value) -> str:
    kind = "words" if value.kind is Choices.WORDS else value.kind.value
    return " ".join([kind, *value.words])
