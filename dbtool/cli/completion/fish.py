"""The completion script for fish."""

from __future__ import annotations

from collections.abc import Iterator

from dbtool.cli.completion.tree import Choices, Command, Option, Value

_HEAD = """\
# fish completion for dbtool; generated, do not edit: dbtool completions fish

function __dbtool_names -d 'The names of profiles, or of queries'
    set -l words (commandline -opc)
    set -l config $DBTOOL_CONFIG
    if set -l place (contains -i -- --config $words)
        set config $words[(math $place + 1)]
    end
    DBTOOL_CONFIG="$config" command dbtool __complete $argv 2>/dev/null
end

function __dbtool_words
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; or echo $word
    end
end

function __dbtool_in -d 'The words typed so far begin with these'
    set -l words (__dbtool_words)
    set -l length (count $argv)
    test "$words[1..$length]" = "$argv"
end

function __dbtool_at -d 'The words typed so far are these and no more'
    test "$(__dbtool_words)" = "$argv"
end

complete -c dbtool -f
"""


def render_fish(root: Command) -> str:
    """Return the script."""
    return "\n".join([_HEAD, *(line for command in root.walk() for line in _render_command(command)), ""])


def _render_command(command: Command) -> Iterator[str]:
    at, within = (f"{test} {' '.join(command.path)}".strip() for test in ("__dbtool_at", "__dbtool_in"))
    for child in command.children:
        yield f"complete -c dbtool -n '{at}' -a {child.path[-1]} -d {_quote(child.help)}"
    # The options of a group are its own only as long as no command of it is named.
    condition = at if command.children else within
    for option in command.options:
        yield f"complete -c dbtool -n '{condition}' {_render_option(option)}"
    action = _render_action(command.argument) if command.argument else ""
    if action:
        yield f"complete -c dbtool -n '{within}' {action}"


def _render_option(option: Option) -> str:
    names = [f"-s {name[1:]}" if len(name) == 2 else f"-l {name[2:]}" for name in option.names]
    action = [_render_requirement(option.value)] if option.value else []
    return " ".join(part.strip() for part in [*names, *action, f"-d {_quote(option.help)}"])


def _render_requirement(value: Value) -> str:
    return f"{'-r' if value.kind is Choices.FILES else '-x'} {_render_action(value)}"


def _render_action(value: Value) -> str:
    if value.kind in {Choices.PROFILES, Choices.QUERIES}:
        # Here each name may have a word on it.
        kind = "described" if value.kind is Choices.PROFILES else value.kind.value
        return f"-a '(__dbtool_names {kind})'"
    if value.kind is Choices.FILES:
        return f"-F -a {_quote(' '.join(value.words))}" if value.words else "-F"
    return f"-a {_quote(' '.join(value.words))}" if value.kind is Choices.WORDS else ""


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
