"""Parameters: `-v` as it is written on the command line, and which statements use them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbtool.dialects import Dialect
from dbtool.engines.engine import Parameters, ParameterValue
from dbtool.errors import UsageError
from dbtool.expressions import expression
from dbtool.statements import Statement, find_parameters

_SPECIFICATION = expression(r"(?P<name>[A-Za-z_]\w*|[1-9][0-9]{0,4})(?P<kind>:=|@=|=)(?P<value>.*)", re.DOTALL)


def parse_parameters(specifications: Sequence[str], directory: Path) -> Parameters | None:
    """Return the parameters of `-v name=text`, `name:=JSON` and `name@=PATH`; None when there are none.

    Paths are relative to `directory`. Raises UsageError.
    """
    if not specifications:
        return None
    parameters: dict[str, ParameterValue] = {}
    for specification in specifications:
        match = _SPECIFICATION.fullmatch(specification)
        if match is None:
            raise UsageError(f"-v {specification!r}: write name=text, name:=JSON or name@=FILE")
        name = match["name"]
        if name in parameters:
            raise UsageError(f"-v {name}: given twice")
        parameters[name] = _value(name, match["kind"], match["value"], directory)
    return parameters


def _value(name: str, kind: str, text: str, directory: Path) -> ParameterValue:
    if kind == "=":
        return _checked(name, text)
    if kind == "@=":
        return _read_file(name, directory / Path(text).expanduser())
    import json  # few values are written as JSON
    from decimal import Decimal

    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError:
        raise UsageError(f"-v {name}: is JSON that nests too deeply") from None
    except ValueError as error:
        raise UsageError(
            f"-v {name}:={text}: not JSON ({error}): a number, true, false, null or a quoted string; "
            f"use {name}=... for plain text"
        ) from error
    return text if isinstance(value, dict | list) else _checked(name, value)


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _checked(name: str, value: ParameterValue) -> ParameterValue:
    """Refuse text that cannot be sent as UTF-8 (an argument's stray bytes, a lone surrogate in JSON)."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"-v {name}: the value is not valid UTF-8") from error
    return value


def _read_file(name: str, path: Path) -> ParameterValue:
    """Return a file as text, or as bytes where it is no UTF-8 text."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"-v {name}@={path}: cannot be read: {error.strerror}") from error
    if b"\0" in content:
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


class Usage:
    """Keeps the books on which parameters the statements have used."""

    def __init__(self, parameters: Parameters | None, dialect: Dialect) -> None:
        self._parameters: Mapping[str, ParameterValue] = parameters or {}
        self._given = parameters is not None
        self._dialect = dialect
        self._used: set[str] = set()

    def note(self, statement: Statement) -> None:
        """Look at a statement's parameters; raises UsageError where one has no value."""
        if not self._given:
            return
        for parameter in find_parameters(statement.text, self._dialect):
            if parameter.name not in self._parameters:
                offset = len(statement.text[: parameter.start].decode("utf-8", "replace"))
                raise UsageError(
                    f"{statement.place(offset)}: no value for the parameter {parameter.written}: "
                    f"give it with -v {parameter.name}=..."
                )
            self._used.add(parameter.name)

    def require_all_used(self) -> None:
        """Raise UsageError where a parameter was given that no statement has used."""
        unused = [name for name in self._parameters if name not in self._used]
        if unused:
            mark = "?" if unused[0].isdigit() else ":"
            raise UsageError(f"-v {unused[0]}: no statement uses {mark}{unused[0]}")
