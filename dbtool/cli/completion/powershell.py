"""The completion script for PowerShell."""

from __future__ import annotations

from collections.abc import Iterator

from dbtool.cli.completion.tree import Choices, Command, Option, Value

_HEAD = """\
# PowerShell completion for dbtool; generated, do not edit: dbtool completions powershell

Register-ArgumentCompleter -Native -CommandName dbtool -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $commands = @{"""
_TAIL = """\
    }
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        Select-Object -Skip 1 | ForEach-Object { $_.Extent.Text })
    $path = ''
    foreach ($word in $words) {
        $longer = "$path $word".Trim()
        if ($commands.ContainsKey($longer)) { $path = $longer }
    }
    $command = $commands[$path]
    $previous = if ($words.Count) { $words[-1] } else { '' }
    $value = @($command.Values | Where-Object { $_.StartsWith("$previous ", [StringComparison]::Ordinal) })[0]
    $kind = if ($value) { $value.Substring($previous.Length + 1) }
        elseif ($wordToComplete.StartsWith('-')) { 'words ' + $command.Options }
        else { $command.Own }
    # Nothing returned leaves it to PowerShell, which completes files.
    $candidates = @(switch -Wildcard -CaseSensitive ($kind) {
        'profiles' { dbtool __complete profiles 2>$null }
        'queries' { dbtool __complete queries 2>$null }
        'words *' { $kind.Substring(6).Split(' ') }
    })
    $candidates | Where-Object { $_ -and $_.StartsWith($wordToComplete) } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
"""


def render_powershell(root: Command) -> str:
    """Return the script."""
    return "\n".join([_HEAD, *(line for command in root.walk() for line in _render_command(command)), _TAIL])


def _render_command(command: Command) -> Iterator[str]:
    names = " ".join(name for option in command.options for name in option.names)
    values = ", ".join(_render_values(command.options))
    yield f"        '{' '.join(command.path)}' = @{{"
    yield f"            Own = '{_spell_own(command)}'"
    yield f"            Options = '{names}'"
    # A list, because PowerShell's tables do not tell -f from -F.
    yield f"            Values = @({values})"
    yield "        }"


def _render_values(options: tuple[Option, ...]) -> Iterator[str]:
    for option in options:
        if option.value:
            for name in option.names:
                yield f"'{name} {_spell_kind(option.value)}'"


def _spell_own(command: Command) -> str:
    if command.children:
        return "words " + " ".join(child.path[-1] for child in command.children)
    return _spell_kind(command.argument) if command.argument else ""


def _spell_kind(value: Value) -> str:
    # Words of a file's place as well: where none fits, PowerShell completes files.
    return " ".join(["words", *value.words]) if value.words or value.kind is Choices.WORDS else value.kind.value
