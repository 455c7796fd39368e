"""`dbtool profile`: list, show, check, path, trust."""

from __future__ import annotations

import typer

app = typer.Typer(help="List, show and check profiles.", no_args_is_help=True)
