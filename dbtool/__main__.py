"""Run the command line: `python -m dbtool` and the `dbtool` script."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the process was started with, and exit with its status."""
    from dbtool.cli.app import run  # noqa: PLC0415 - after what answers without Typer

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
