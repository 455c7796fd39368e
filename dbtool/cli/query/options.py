"""The options that `dbtool query` and `dbtool run` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from dbtool.cli import options
from dbtool.cli.options import CHECKS, OUTPUT, SAFETY, SEVERAL, SQL, TIME

Param: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-v",
        metavar="NAME=TEXT",
        help="Bind :NAME to a text; NAME:=JSON to a number, true, false or null; NAME@=FILE to a file's content.",
        rich_help_panel=SQL,
    ),
]
SingleTransaction: TypeAlias = Annotated[
    bool,
    typer.Option("--single-transaction", "-1", help="Run everything in one transaction.", rich_help_panel=SQL),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Run in one transaction, and roll it back.", rich_help_panel=SAFETY)
]
Write: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--write",
        help="Allow writes on a protected profile; a script has to name it (--profile, DBTOOL_PROFILE).",
        rich_help_panel=SAFETY,
    ),
]
StatementTimeout: TypeAlias = Annotated[
    float | None,
    options.seconds("--statement-timeout", "The server's limit for each statement; 0 is none.", panel=TIME),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write rows to a file, whole or not at all.", rich_help_panel=OUTPUT
    ),
]
Limit: TypeAlias = Annotated[
    int | None,
    typer.Option("--limit", "-n", metavar="N", min=0, help="At most N rows a result.", rich_help_panel=OUTPUT),
]
Result: TypeAlias = Annotated[
    str,
    typer.Option(
        "--result",
        metavar="all|last|none|N",
        help="Which of several result sets to print.",
        rich_help_panel=OUTPUT,
    ),
]
NoHeader: TypeAlias = Annotated[
    bool, typer.Option("--no-header", help="Leave the column names out.", rich_help_panel=OUTPUT)
]
Null: TypeAlias = Annotated[
    str | None, typer.Option("--null", metavar="TEXT", help="Write NULL as TEXT.", rich_help_panel=OUTPUT)
]
JsonNumbers: TypeAlias = Annotated[
    str,
    typer.Option(
        "--json-numbers",
        metavar="digits|string",
        help="Write numbers that a float cannot hold as digits or as strings.",
        rich_help_panel=OUTPUT,
    ),
]
ExpectRows: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--expect-rows", metavar="N|'>=1'", help="Fail (5) on another number of rows.", rich_help_panel=CHECKS
    ),
]
ExpectValue: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--expect-value", metavar="TEXT", help="Fail (5) unless one row starts with TEXT.", rich_help_panel=CHECKS
    ),
]
Stats: TypeAlias = Annotated[
    bool, typer.Option("--stats", help="Write counts and times to stderr as JSON.", rich_help_panel=CHECKS)
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing but errors and warnings.", rich_help_panel=options.COMMON),
]
ExpectSame: TypeAlias = Annotated[
    bool,
    typer.Option("--expect-same", help="Fail (5) unless all profiles answer the same.", rich_help_panel=CHECKS),
]
Columns: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="first|union",
        help="Want the first profile's columns of each, or take those of all, NULL where there is none.",
        rich_help_panel=SEVERAL,
    ),
]
Canary: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--canary", help="Run on the first profile, show it, and ask before the others.", rich_help_panel=SEVERAL
    ),
]
