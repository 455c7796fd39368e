"""The scripts in `completions/`, generated from the app: `python -m tests.completions.generate` rewrites them."""

from __future__ import annotations

from pathlib import Path

from dbtool.cli.app import build
from dbtool.cli.completion import FILES, render_completions

DIRECTORY = Path(__file__).parents[2] / "completions"


def render_all() -> dict[str, str]:
    """Return every script by the name of its file."""
    command = build()
    return {file: render_completions(command, shell) for shell, file in FILES.items()}


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, script in render_all().items():
        (DIRECTORY / name).write_text(script)
