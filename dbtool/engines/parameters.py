"""Parameters put into a statement by the driver's own quoting, with the way back for error positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dbtool.dialects import Dialect
from dbtool.engines.engine import Parameters, ParameterValue, Request
from dbtool.statements import find_parameters


class Rendered(NamedTuple):
    """A statement's text as it is sent; `splices` are (start, end, original start, original end) in bytes."""

    text: bytes
    splices: tuple[tuple[int, int, int, int], ...] = ()

    def original(self, offset: int) -> int:
        """Map a byte offset in the sent text back to the script's own text."""
        shift = 0
        for start, end, original_start, original_end in self.splices:
            if offset < start:
                break
            if offset < end:
                return original_start
            shift = original_end - end
        return offset + shift


def render(request: Request, dialect: Dialect, quote: Callable[[ParameterValue], bytes]) -> Rendered:
    """Replace each `:name` by what `quote` makes of its value; without parameters, the text as it is."""
    text = request.statement.text
    if request.parameters is None:
        return Rendered(text)
    return _splice(text, request.parameters, dialect, quote)


def _splice(
    text: bytes, parameters: Parameters, dialect: Dialect, quote: Callable[[ParameterValue], bytes]
) -> Rendered:
    pieces: list[bytes] = []
    splices: list[tuple[int, int, int, int]] = []
    copied = sent = 0
    for parameter in find_parameters(text, dialect):
        plain = text[copied : parameter.start]
        literal = quote(parameters[parameter.name])
        pieces += (plain, literal)
        start = sent + len(plain)
        sent = start + len(literal)
        splices.append((start, sent, parameter.start, parameter.end))
        copied = parameter.end
    pieces.append(text[copied:])
    return Rendered(b"".join(pieces), tuple(splices))
