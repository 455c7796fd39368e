"""Reading a report back from the JSON that `pool-bench --json` wrote.

Keys that this dbtool does not know are passed over, as a newer minor release may add some; whatever it
does know has to have its type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import FAIL, PARTIAL, PASS, SCHEMA, SKIPPED, WARNING, Report
from dbtool.errors import UsageError

_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    type(None): "null",
}
"""What JSON calls the types of its values."""


def read_report(text: str, source: str) -> tuple[Report, ...]:
    """Return the reports, one for each pool, in the order in which they stand.

    Raises UsageError, which names the source.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_float)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: this is no complete JSON: {error}") from error
    try:
        return _read_all(data)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{source}: this is no report that dbtool pool-bench can read: {error}") from error


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _read_all(data: Any) -> tuple[Report, ...]:
    if not isinstance(data, list):
        return (_read_one(data, ""),)
    if not data:
        raise ValueError("the list is empty")
    return tuple(_read_one(item, f"[{index}]") for index, item in enumerate(data))


def _read_one(data: Any, where: str) -> Report:
    schema = _require(dict, data, where).get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        found = "has no schema number" if schema is None else f"has the schema {json.dumps(schema)[:20]}"
        raise ValueError(f"{where or 'it'} {found}, and this dbtool reads {SCHEMA}: run it again")
    report: Report = _read_record(Report, data, where)
    _check_word(report.verdict, (PASS, FAIL, PARTIAL), _join(where, "verdict"))
    for index, gate in enumerate(report.gates):
        _check_word(gate.status, (PASS, FAIL, WARNING, SKIPPED), _join(where, f"gates[{index}].status"))
    return report


def _check_word(word: str, known: tuple[str, ...], where: str) -> None:
    if word not in known:
        raise ValueError(f"{where} has to be {' or '.join(known)}")


def _read(kind: Any, value: Any, where: str) -> Any:
    """Return a JSON value as the annotated type of a field has it."""
    if is_dataclass(kind):
        return _read_record(kind, value, where)
    parts = get_args(kind)
    if not parts:
        return _read_one_value(kind, value, where)
    if get_origin(kind) is UnionType:
        return None if value is None else _read(parts[0], value, where)
    if get_origin(kind) is Mapping:
        return {name: _read(parts[1], item, _join(where, name)) for name, item in _require(dict, value, where).items()}
    return tuple(_read(parts[0], item, f"{where}[{i}]") for i, item in enumerate(_require(list, value, where)))


def _read_record(kind: Any, value: Any, where: str) -> Any:
    data = _require(dict, value, where)
    kinds = get_type_hints(kind)
    for field in fields(kind):
        if field.name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{_join(where, field.name)} is missing")
    return kind(**{name: _read(kinds[name], data[name], _join(where, name)) for name in kinds if name in data})


def _read_histogram(value: Any, where: str) -> Histogram:
    try:
        return Histogram.decode(_require(str, value, where))
    except UsageError as error:
        raise ValueError(f"{where}: {error}") from error


def _read_one_value(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if kind is Histogram:
        return _read_histogram(value, where)
    # A whole number is what other programs make of 2.0 when they write JSON again.
    if kind is float and type(value) is int:
        return float(value)
    return _require(kind, value, where)


def _require(kind: type, value: Any, where: str) -> Any:
    if type(value) is not kind:  # in Python a boolean is also an integer, in JSON it is not
        raise ValueError(f"{where or 'it'} has to be {_NAMES[kind]}, and is {_NAMES[type(value)]}")
    return value


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
