"""Completion scripts, generated from the app: a tree of what can be typed, and a renderer per shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from typer.core import TyperGroup

from dbtool.cli.completion.bash import render_bash
from dbtool.cli.completion.fish import render_fish
from dbtool.cli.completion.powershell import render_powershell
from dbtool.cli.completion.tree import Command, read_tree
from dbtool.cli.completion.zsh import render_zsh
from dbtool.errors import UsageError
from dbtool.profiles.problems import suggest

__all__ = ["FILES", "RENDERERS", "render_completions"]

RENDERERS: Mapping[str, Callable[[Command], str]] = MappingProxyType(
    {"bash": render_bash, "zsh": render_zsh, "fish": render_fish, "powershell": render_powershell}
)
FILES: Mapping[str, str] = MappingProxyType(
    {"bash": "dbtool.bash", "zsh": "_dbtool", "fish": "dbtool.fish", "powershell": "dbtool.ps1"}
)
"""What each script is called in `completions/`."""


def render_completions(app: object, shell: str) -> str:
    """Return the script for a shell; raises UsageError where there is no such shell."""
    if shell not in RENDERERS:
        raise UsageError(f"{shell!r}: no such shell{suggest(shell, RENDERERS)}")
    if not isinstance(app, TyperGroup):
        raise TypeError("completion scripts are made of a group of commands")
    return RENDERERS[shell](read_tree(app))
