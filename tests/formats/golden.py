"""The golden files: one per format, and one per option that a format knows.

`python -m tests.formats.golden` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from dbtool.formats import FormatOptions, JsonNumbers
from tests.formats.results import NASTY, Result
from tests.formats.writing import write

DIRECTORY = Path(__file__).parent / "golden"

_DEFAULTS = FormatOptions()
_NO_HEADER = FormatOptions(header=False)
_NULL_TEXT = FormatOptions(null="NULL")
_TERMINAL = FormatOptions(terminal=True)
_COLOR = FormatOptions(terminal=True, color=True)
_STRINGS = FormatOptions(json_numbers=JsonNumbers.STRING)

CASES: dict[str, tuple[str, FormatOptions]] = {
    "table.txt": ("table", _DEFAULTS),
    "table-no-header.txt": ("table", _NO_HEADER),
    "table-null.txt": ("table", FormatOptions(null="-")),
    "table-color.txt": ("table", _COLOR),
    "table-width.txt": ("table", FormatOptions(terminal=True, width=100)),
    "csv.csv": ("csv", _DEFAULTS),
    "csv-no-header.csv": ("csv", _NO_HEADER),
    "csv-null.csv": ("csv", _NULL_TEXT),
    "csv-terminal.csv": ("csv", _TERMINAL),
    "tsv.tsv": ("tsv", _DEFAULTS),
    "tsv-no-header.tsv": ("tsv", _NO_HEADER),
    "tsv-null.tsv": ("tsv", _NULL_TEXT),
    "tsv-terminal.tsv": ("tsv", _TERMINAL),
    "json.json": ("json", _DEFAULTS),
    "json-strings.json": ("json", _STRINGS),
    "json-terminal.json": ("json", _TERMINAL),
    "ndjson.ndjson": ("ndjson", _DEFAULTS),
    "ndjson-strings.ndjson": ("ndjson", _STRINGS),
    "markdown.md": ("markdown", _DEFAULTS),
    "markdown-no-header.md": ("markdown", _NO_HEADER),
    "markdown-null.md": ("markdown", FormatOptions(null="-")),
    "vertical.txt": ("vertical", _DEFAULTS),
    "vertical-no-header.txt": ("vertical", _NO_HEADER),
    "vertical-null.txt": ("vertical", FormatOptions(null="-")),
    "vertical-color.txt": ("vertical", _COLOR),
    "value.txt": ("value", _DEFAULTS),
    "value-null.txt": ("value", _NULL_TEXT),
    "value-terminal.txt": ("value", _TERMINAL),
}


def make(case: str) -> bytes:
    """Return what a golden file has to hold."""
    name, options = CASES[case]
    result = NASTY if name != "value" else Result(NASTY.columns[2:3], [row[2:3] for row in NASTY.rows])
    return write(name, result.columns, result.rows, options)


if __name__ == "__main__":
    for case in CASES:
        (DIRECTORY / case).write_bytes(make(case))
