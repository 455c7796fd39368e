"""The formats that rows are written in: name -> writer, one row per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType

from dbtool.formats.writer import FormatOptions, JsonNumbers, Output, Writer
from dbtool.records import Record

__all__ = ["FORMATS", "Format", "FormatOptions", "JsonNumbers", "Output", "Writer", "format_for_suffix"]


class Format(Record):
    """One format."""

    name: str
    summary: str
    suffixes: tuple[str, ...] = ()
    """Names of files that hold this format end in one of these."""
    holds_one_result: bool = False
    """A second result set would break what the first one wrote."""
    make: Callable[[Output, FormatOptions], Writer]


# Each format is imported when it is first made: a command uses one, and all of them take 15 ms.
# ruff: noqa: PLC0415


def _make_table(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.table import TableWriter

    return TableWriter(output, options)


def _make_csv(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.comma_separated import CsvWriter

    return _make_safe(CsvWriter(output, options), options)


def _make_tsv(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.controls import CopySafeOutput
    from dbtool.formats.tab_separated import TsvWriter

    return TsvWriter(CopySafeOutput(output) if options.terminal else output, options)


def _make_json(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.controls import JsonSafeOutput
    from dbtool.formats.json_objects import JsonWriter

    return JsonWriter(JsonSafeOutput(output) if options.terminal else output, options)


def _make_ndjson(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.controls import JsonSafeOutput
    from dbtool.formats.json_objects import NdjsonWriter

    return NdjsonWriter(JsonSafeOutput(output) if options.terminal else output, options)


def _make_markdown(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.markdown import MarkdownWriter

    return MarkdownWriter(output, options)


def _make_vertical(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.vertical import VerticalWriter

    return _make_safe(VerticalWriter(output, options), options, keep="\n")


def _make_value(output: Output, options: FormatOptions) -> Writer:
    from dbtool.formats.value import ValueWriter

    return _make_safe(ValueWriter(output, options), options)


def _make_safe(writer: Writer, options: FormatOptions, *, keep: str = "") -> Writer:
    """Keep control characters from a terminal, but for those in `keep`."""
    if not options.terminal:
        return writer
    from dbtool.formats.controls import SafeWriter

    return SafeWriter(writer, keep=keep)


_ROWS = (
    Format(name="table", summary="aligned columns, for people", make=_make_table),
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
    Format(name="markdown", summary="a Markdown table", suffixes=(".md", ".markdown"), make=_make_markdown),
    Format(name="vertical", summary="a line per value", make=_make_vertical),
    Format(name="value", summary="one column, bare values", holds_one_result=True, make=_make_value),
)

FORMATS: Mapping[str, Format] = MappingProxyType({row.name: row for row in _ROWS})


def format_for_suffix(path: str | PurePath) -> str | None:
    """Return the name of the format that a file's suffix stands for."""
    suffix = PurePath(path).suffix.lower()
    return next((row.name for row in _ROWS if suffix in row.suffixes), None)
