"""The formats that rows are written in: name -> writer, one row per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

from dbtool.formats.comma_separated import CsvWriter
from dbtool.formats.controls import (
    CopySafeOutput,
    JsonSafeOutput,
    SafeWriter,
    escape_controls_but_line_feeds,
)
from dbtool.formats.json_objects import JsonWriter, NdjsonWriter
from dbtool.formats.markdown import MarkdownWriter
from dbtool.formats.tab_separated import TsvWriter
from dbtool.formats.table import TableWriter
from dbtool.formats.value import ValueWriter
from dbtool.formats.vertical import VerticalWriter
from dbtool.formats.writer import FormatOptions, JsonNumbers, Output, Writer

__all__ = ["FORMATS", "Format", "FormatOptions", "JsonNumbers", "Output", "Writer", "format_for_suffix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format."""

    name: str
    summary: str
    suffixes: tuple[str, ...] = ()
    """Names of files that hold this format end in one of these."""
    holds_one_result: bool = False
    """A second result set would break what the first one wrote."""
    make: Callable[[Output, FormatOptions], Writer]


def _make_csv(output: Output, options: FormatOptions) -> Writer:
    writer = CsvWriter(output, options)
    return SafeWriter(writer) if options.terminal else writer


def _make_tsv(output: Output, options: FormatOptions) -> Writer:
    return TsvWriter(CopySafeOutput(output) if options.terminal else output, options)


def _make_json(output: Output, options: FormatOptions) -> Writer:
    return JsonWriter(JsonSafeOutput(output) if options.terminal else output, options)


def _make_ndjson(output: Output, options: FormatOptions) -> Writer:
    return NdjsonWriter(JsonSafeOutput(output) if options.terminal else output, options)


def _make_vertical(output: Output, options: FormatOptions) -> Writer:
    writer = VerticalWriter(output, options)
    return SafeWriter(writer, escape_controls_but_line_feeds) if options.terminal else writer


def _make_value(output: Output, options: FormatOptions) -> Writer:
    writer = ValueWriter(output, options)
    return SafeWriter(writer) if options.terminal else writer


_ROWS = (
    Format(name="table", summary="aligned columns, for people", make=TableWriter),
    Format(
        name="csv",
        summary="comma-separated, as COPY writes it",
        suffixes=(".csv",),
        holds_one_result=True,
        make=_make_csv,
    ),
    Format(
        name="tsv",
        summary="tab-separated, as COPY writes it",
        suffixes=(".tsv", ".tab"),
        holds_one_result=True,
        make=_make_tsv,
    ),
    Format(name="json", summary="an array of objects", suffixes=(".json",), holds_one_result=True, make=_make_json),
    Format(name="ndjson", summary="an object per line", suffixes=(".ndjson", ".jsonl"), make=_make_ndjson),
    Format(name="markdown", summary="a Markdown table", suffixes=(".md", ".markdown"), make=MarkdownWriter),
    Format(name="vertical", summary="a line per value", make=_make_vertical),
    Format(name="value", summary="one column, bare values", holds_one_result=True, make=_make_value),
)

FORMATS: Mapping[str, Format] = MappingProxyType({row.name: row for row in _ROWS})


def format_for_suffix(path: str | PurePath) -> str | None:
    """Return the name of the format that a file's suffix stands for."""
    suffix = PurePath(path).suffix.lower()
    return next((row.name for row in _ROWS if suffix in row.suffixes), None)
