"""The command line: Typer and Rich live here and nowhere else."""

from __future__ import annotations


def shield_comment(argument: str) -> str:
    """Put a blank before SQL that begins with a comment, which would be taken for an option."""
    return f" {argument}" if argument[:2] == "--" and argument[2:3].isspace() else argument
