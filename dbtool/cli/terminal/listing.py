"""Listings (profiles, checks, files) as results, in any of the formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO

from dbtool.cli.terminal.rows import RowsRequest, find_format, make_writer, open_output
from dbtool.environment import Environment
from dbtool.errors import UsageError
from dbtool.formats import Format, FormatOptions
from dbtool.formats.display import measure_width, measure_widths
from dbtool.profiles.problems import suggest
from dbtool.result import Column, Kind, Row, Value

_TABLE = "table"
_BETWEEN = " │ "
_NARROW, _NARROWEST = 16, 8
"""A column of places is not made narrower than the first while others have room, and none than the second."""


def choose_listing_format(format_name: str | None, columns: Sequence[Column]) -> Format:
    """Return the format of a listing; without a name it is a table, also in a pipe.

    Raises UsageError where there is no such format, or where it cannot hold the columns: a command
    that does more than list calls this before it does anything.
    """
    format_ = find_format(format_name or _TABLE, "--format")
    format_.make(BytesIO(), FormatOptions()).begin(columns)
    return format_


def print_listing(
    environment: Environment, columns: Sequence[Column], rows: Sequence[Row], *, format_name: str | None
) -> None:
    """Write a listing to stdout; raises UsageError as `choose_listing_format` does."""
    format_ = choose_listing_format(format_name, columns)
    output = open_output(environment, RowsRequest(), spool_at_once=False)
    writer = make_writer(environment, RowsRequest(), format_, output)
    writer.begin(columns)
    writer.write_rows([tuple(_spell(value) for value in row) for row in rows])
    writer.end()
    writer.flush()
    output.commit()


def is_table(format_name: str | None) -> bool:
    """Say whether a listing is a table for people."""
    return (format_name or _TABLE).lower() == _TABLE


def pick_columns(
    columns: Sequence[Column], rows: Sequence[Row], named: str | None
) -> tuple[Sequence[Column], Sequence[Row]]:
    """Return the columns that `--columns` names, in its order; raises UsageError for one that is not there."""
    if named is None:
        return columns, rows
    known = [column.name for column in columns]
    places = []
    for name in (part.strip() for part in named.split(",")):
        if name not in known:
            raise UsageError(f"--columns {name!r}: there is no such column{suggest(name, known)}")
        places.append(known.index(name))
    return [columns[place] for place in places], [tuple(row[place] for place in places) for row in rows]


def fit_table(
    environment: Environment, columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[Sequence[Column], Sequence[Row]]:
    """Return a table for people: no empty column, paths from ~, and cells of several lines where a screen is narrow.

    Where nobody sees a screen, each row stays on its line.
    """
    kept = [place for place in range(len(columns)) if not rows or any(row[place] not in {None, ""} for row in rows)]
    cells = [[shorten_paths(environment, str(row[place] or "")) for place in kept] for row in rows]
    columns = [columns[place] for place in kept]
    if environment.stdout_is_terminal:
        from shutil import get_terminal_size  # brings every way to compress

        cells = list(_fold(cells, _choose_widths(columns, cells, get_terminal_size().columns)))
    return columns, [tuple(row) for row in cells]


def shorten_paths(environment: Environment, text: str) -> str:
    """Write paths below the home directory with ~."""
    home = str(environment.home)
    return re.sub(rf"(?<![\w/]){re.escape(home)}(?=/)", "~", text) if len(home) > 1 else text


def _choose_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], total: int) -> list[int]:
    """Take from the widest columns until a line fits: first from those of places, which fold well, then from any."""
    widths = [max(measure_widths([column.name, *(row[place] for row in rows)])) for place, column in enumerate(columns)]
    folding = [place for place in range(len(columns)) if any("/" in row[place] for row in rows)]
    for places, least in ((folding, _NARROW), (range(len(columns)), _NARROWEST)):
        while sum(widths) + len(_BETWEEN) * (len(widths) - 1) > total:
            widest = max(places, key=widths.__getitem__, default=None)
            if widest is None or widths[widest] <= least:
                break
            widths[widest] -= 1
    return widths


def _fold(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[list[str]]:
    for row in rows:
        lines = [list(_break(cell, width)) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, lines))):
            yield [cell[number] if number < len(cell) else "" for cell in lines]


def _break(text: str, width: int) -> Iterator[str]:
    """Cut a text into lines, behind a blank or a slash if there is one."""
    while measure_width(text) > width:
        end = width
        while measure_width(text[:end]) > width:
            end -= 1
        place = max(text.rfind(mark, 0, end) for mark in " /,")
        end = place + 1 if place > 0 else max(end, 1)
        yield text[:end].rstrip()
        text = text[end:]
    yield text


def _spell(value: Value) -> Value:
    return replace_stray_bytes(value) if isinstance(value, str) else value


def replace_stray_bytes(text: str) -> str:
    """Write what is no UTF-8, as a directory's name may be, as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def text_columns(names: str) -> list[Column]:
    """Return text columns for names that blanks separate."""
    return [Column(name, Kind.TEXT) for name in names.split()]
