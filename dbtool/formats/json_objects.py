"""JSON: one object per row and line, as an array (json) or as lines (ndjson)."""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring as quote

from dbtool.formats.json_blocks import BlockConverter
from dbtool.formats.json_values import spelling_of, unique_names
from dbtool.formats.spelling import Spelling, transpose
from dbtool.formats.writer import FormatOptions, Output, RowWriter
from dbtool.result import Column, Lane, Row


class NdjsonWriter(RowWriter):
    """Write result sets as JSON objects, a line each."""

    _between = "\n"

    def __init__(self, output: Output, options: FormatOptions) -> None:
        super().__init__(output, options)
        self._template = ""
        self._spellings: list[Spelling] = []
        self._converter: BlockConverter | None = None

    def begin(self, columns: Sequence[Column]) -> None:
        """Prepare the keys."""
        self.change_kinds(columns)

    def change_kinds(self, columns: Sequence[Column]) -> None:
        """Prepare how each column is spelled."""
        super().change_kinds(columns)
        numbers = self._options.json_numbers
        keys = [quote(name) for name in unique_names([column.name for column in columns])]
        kinds = [column.kind for column in columns]
        self._spellings = [spelling_of(kind, numbers) for kind in kinds]
        self._template = "{" + ",".join(key.replace("%", "%%") + ":%s" for key in keys) + "}"
        self._converter = BlockConverter(keys, kinds, numbers, between=self._between.encode()) if keys else None

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        if not rows:
            return
        pairs = zip(self._spellings, transpose(rows), strict=True)
        columns = [spelling.render(column) for spelling, column in pairs]
        template = self._template
        objects = [template % row for row in zip(*columns, strict=True)] if columns else [template] * len(rows)
        self._write_objects(self._between.join(objects).encode())

    def write_block(self, lane: Lane, block: bytes) -> None:
        """Write some rows that come as COPY text."""
        objects = self._converter.convert(block) if self._converter and block else None
        if objects is None:
            super().write_block(lane, block)
        else:
            self._write_objects(objects)

    def _write_objects(self, objects: bytes) -> None:
        self._output.write(objects)
        self._output.write(b"\n")


class JsonWriter(NdjsonWriter):
    """Write one result set as a JSON array, which stays open until its end."""

    _between = ",\n"
    _is_open = False

    def begin(self, columns: Sequence[Column]) -> None:
        """Prepare the keys."""
        super().begin(columns)
        self._is_open = False

    def end(self) -> None:
        """Close the array."""
        self._output.write(b"\n]\n" if self._is_open else b"[]\n")

    def _write_objects(self, objects: bytes) -> None:
        self._output.write(b",\n" if self._is_open else b"[\n")
        self._output.write(objects)
        self._is_open = True
