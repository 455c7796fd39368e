"""The shells that dbtool writes for: how each is told of a switch."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.profiles.problems import suggest
from dbtool.records import Record

DETECT = "detect"
"""Stands for the shell that SHELL names."""


class Assignment(Record):
    """One variable that a shell is to set: to a text, to another variable's value, or to nothing at all."""

    variable: str
    text: str | None = None
    copied: str | None = None


class Shell(Record):
    """How a shell spells an assignment, and how a person has it read."""

    spell: Callable[[Assignment], str]
    evaluate: str


def _spell_posix(assignment: Assignment) -> str:
    if assignment.copied:
        return f'export {assignment.variable}="${{{assignment.copied}-}}"'
    if assignment.text is None:
        return f"unset {assignment.variable}"
    return f"export {assignment.variable}={shlex.quote(assignment.text)}"


def _spell_fish(assignment: Assignment) -> str:
    if assignment.copied:
        return f'set -gx {assignment.variable} "${assignment.copied}"'
    if assignment.text is None:
        # `set -e` of a variable that is not set would leave a status that reads as a failure.
        return f"set -q {assignment.variable}; and set -e {assignment.variable}; or true"
    quoted = assignment.text.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {assignment.variable} '{quoted}'"


def _spell_powershell(assignment: Assignment) -> str:
    if assignment.copied:
        return f"$env:{assignment.variable} = $env:{assignment.copied}"
    if assignment.text is None:
        return f"Remove-Item Env:{assignment.variable} -ErrorAction Ignore"
    # PowerShell takes the typographic ones for the plain one.
    quoted = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", assignment.text)
    return f"$env:{assignment.variable} = '{quoted}'"


SHELLS: Mapping[str, Shell] = {
    "bash": Shell(spell=_spell_posix, evaluate='eval "$(dbtool switch {} --shell)"'),
    "zsh": Shell(spell=_spell_posix, evaluate='eval "$(dbtool switch {} --shell)"'),
    "fish": Shell(spell=_spell_fish, evaluate="dbtool switch {} --shell | source"),
    "powershell": Shell(spell=_spell_powershell, evaluate="dbtool switch {} --shell powershell | Invoke-Expression"),
}


def find_shell(environment: Environment, name: str) -> Shell:
    """Return the shell called `name`, or the one that runs; raises UsageError."""
    if name == DETECT:
        return SHELLS[_detect(environment)]
    if name not in SHELLS:
        raise UsageError(f"--shell {name!r}: no such shell{suggest(name, SHELLS)}")
    return SHELLS[name]


def _detect(environment: Environment) -> str:
    named = PurePath(environment.variables.get("SHELL", "")).name
    if named in SHELLS:
        return named
    if not named and "PSModulePath" in environment.variables:
        return "powershell"
    if named in {"sh", "dash", "ksh", "ash"}:
        return "bash"
    raise UsageError(f"which shell this is cannot be told from SHELL: add one of {', '.join(SHELLS)} after --shell")


def render_script(shell: Shell, assignments: Sequence[Assignment]) -> str:
    """Return one line that a shell evaluates; the assignments happen in their order."""
    return "; ".join(shell.spell(assignment) for assignment in assignments) + "\n"
