"""The options that commands share: one name, one letter and one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from dbtool.text import parse_duration

CONNECTING = "Connecting"
SQL = "SQL"
SAFETY = "Safety"
TIME = "Time"
OUTPUT = "Output"
CHECKS = "Checks"
SEVERAL = "Several profiles"
COMMON = "Common"


def parse_seconds(text: str | float) -> float:
    """Read a duration option; a bare number counts seconds, and so does a default, which Typer hands over as it is."""
    if isinstance(text, float):
        return text
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def seconds(flag: str, explanation: str, *, panel: str | None = None, shown: str | bool = True) -> Any:
    """Describe an option that takes a duration; `shown` is its default as people write it."""
    return typer.Option(
        flag,
        metavar="DURATION",
        parser=parse_seconds,
        help=explanation,
        show_default=shown,
        rich_help_panel=panel,
    )


Profiles: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME|URL|FILE",
        help="Profile to use, or a URL, or an SQLite file's path.",
        rich_help_panel=CONNECTING,
    ),
]
SeveralProfiles: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME|URL|FILE",
        help="Profile to use, or a URL, or an SQLite file's path; several: a,b or 'eu-*' (repeatable).",
        rich_help_panel=CONNECTING,
    ),
]
Tag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="TAG", help="All profiles with this tag (repeatable: with each).", rich_help_panel=SEVERAL
    ),
]
AllProfiles: TypeAlias = Annotated[
    bool, typer.Option("--all-profiles", help="All profiles that can be seen from here.", rich_help_panel=SEVERAL)
]
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--jobs", metavar="N", min=0, help="So many at a time: 8; where SQL writes, 1.", rich_help_panel=SEVERAL
    ),
]
Unordered: TypeAlias = Annotated[
    bool,
    typer.Option("--unordered", help="Rows as they come, not in the profiles' order.", rich_help_panel=SEVERAL),
]
Summary: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="FILE",
        help="Write what came of each profile: FILE.json, or FILE.xml for JUnit.",
        rich_help_panel=SEVERAL,
    ),
]
Config: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Read profiles from this file or directory alone (DBTOOL_CONFIG).",
        rich_help_panel=CONNECTING,
    ),
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=COMMON)
]


def _format(explanation: str) -> Any:
    return typer.Option("--format", "-F", metavar="NAME", help=explanation, rich_help_panel=OUTPUT)


_FORMATS = "table, csv, tsv, json, ndjson, markdown, vertical or value"
FormatName: TypeAlias = Annotated[str | None, _format(f"{_FORMATS} (DBTOOL_FORMAT).")]
ListingFormat: TypeAlias = Annotated[str | None, _format(f"{_FORMATS}.")]
"""Of everything but a query's rows: a table unless it is given, whatever DBTOOL_FORMAT says."""
Wait: TypeAlias = Annotated[
    float | None,
    seconds("--wait", "Keep trying to connect for this long while the server may still come up.", panel=CONNECTING),
]
Timeout: TypeAlias = Annotated[
    float | None,
    seconds("--timeout", "One deadline for everything: secrets, connecting, statements, output.", panel=TIME),
]
Confirmed: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--confirm",
        metavar="NAME",
        help="Answer in advance: the name of the protected profile that --write is for (of several: each).",
        rich_help_panel=SAFETY,
    ),
]
Confirm: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="NAME",
        help="Answer in advance: the name of the protected profile that --write is for.",
        rich_help_panel=SAFETY,
    ),
]
