"""Scripts that a load's turns run, in the manner of pgbench: statements, and numbers drawn for their parameters."""

from __future__ import annotations

import io
import random
import re
from bisect import bisect
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, TypeAlias

from dbtool.bench.load.work import Use, run_statement
from dbtool.dialects import Dialect
from dbtool.errors import Place, UsageError
from dbtool.expressions import expression
from dbtool.records import Record
from dbtool.statements import Statement, find_parameters, split
from dbtool.statements.lexer import cut_into_pieces

_SET = expression(rb"[ \t]*\\set\b([^\r\n]*)", re.MULTILINE)
_DRAWN = expression(
    rb"""\s+ (?P<name>[A-Za-z_]\w*) \s+
    (?: random\s* \( \s* (?P<low>[+-]?\d{1,20}) \s* , \s* (?P<high>[+-]?\d{1,20}) \s* \) | (?P<only>[+-]?\d{1,20}) )
    \s* ;? \s*""",
    re.VERBOSE,
)
_LARGEST = 1 << 63
"""Integers of servers end below."""


class Draw(Record):
    """Gives a parameter another whole number of a range, ends included."""

    name: str
    low: int
    high: int


class Sending(Record):
    """Sends a statement: its text, cut where the value of a parameter stands."""

    place: Place
    texts: tuple[str, ...]
    """One more than there are names."""
    names: tuple[str, ...]

    def write(self, values: Mapping[str, int]) -> str:
        """Return the statement with the parameters' values in it."""
        parts = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            number = values[name]
            # Behind a minus sign another one would begin a comment.
            parts += (str(number) if number >= 0 else f"({number})", text)
        return "".join(parts)


Step: TypeAlias = Draw | Sending


class Script(Record):
    """One script, and how often it is run beside the others."""

    name: str
    weight: int
    steps: tuple[Step, ...]

    def write(self, source: random.Random) -> Iterator[tuple[Place, str]]:
        """Give the statements of one turn, each with its place in the file."""
        values: dict[str, int] = {}
        for step in self.steps:
            if isinstance(step, Draw):
                values[step.name] = source.randint(step.low, step.high)
            else:
                yield step.place, step.write(values)


class ScriptWork(Record):
    """The work of a turn is one of several scripts, drawn by their weights."""

    scripts: tuple[Script, ...]

    def describe(self) -> str:
        """Say in a few words what a turn does."""
        if len(self.scripts) == 1:
            return f"script {self.scripts[0].name}"
        whole = sum(script.weight for script in self.scripts)
        return "scripts " + ", ".join(f"{script.name} ({script.weight / whole:.0%})" for script in self.scripts)

    def start(self, seed: int) -> Use:
        """Return the work for one thread."""
        source, scripts = random.Random(seed), self.scripts  # noqa: S311 - a load, no secret
        ends = list(accumulate(script.weight for script in scripts))

        def use(connection: Any) -> None:
            script = scripts[bisect(ends, source.randrange(ends[-1]))] if len(scripts) > 1 else scripts[0]
            for _place, statement in script.write(source):
                run_statement(statement, connection)

        return use


def parse_script(text: bytes, dialect: Dialect, *, name: str, weight: int) -> Script:
    r"""Read a script; raises UsageError, which names the place.

    A line `\set NAME random(LOW, HIGH)` gives `:NAME` another number in each turn, from that line on.
    """
    source = f"--script {name}"
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: it is not UTF-8 (byte 0x{text[error.start]:02x})") from error
    draws, rest = _take_draws(text, dialect, source)
    steps: list[Step] = []
    known: set[str] = set()
    for statement in split(io.BytesIO(rest).read, dialect, source=source):
        while draws and draws[0][0] < statement.line:
            steps.append(draws.pop(0)[1])
        known |= {step.name for step in steps if isinstance(step, Draw)}
        steps.append(_cut_statement(statement, dialect, known))
    if not any(isinstance(step, Sending) for step in steps):
        raise UsageError(f"{source}: there is no statement in it")
    return Script(name=name, weight=weight, steps=tuple(steps))


def _take_draws(text: bytes, dialect: Dialect, source: str) -> tuple[list[tuple[int, Draw]], bytes]:
    """Return the draws with their lines, and the text with blanks in their place."""
    draws: list[tuple[int, Draw]] = []
    rest = bytearray(text)
    for kind, start, end in cut_into_pieces(text, dialect.lexical):
        for match in _SET.finditer(text, start, end) if kind is None else ():
            if text[: match.start()].rpartition(b"\n")[2].strip():
                continue
            line = text.count(b"\n", 0, match.start()) + 1
            draws.append((line, _read_draw(match[1], Place(source, line, 1))))
            rest[match.start() : match.end()] = b" " * len(match[0])
    return draws, bytes(rest)


def _read_draw(said: bytes, place: Place) -> Draw:
    match = _DRAWN.fullmatch(said)
    if match is None:
        raise UsageError(f"{place}: write \\set NAME random(LOW, HIGH), or \\set NAME NUMBER, with whole numbers")
    low, high = (int(match[end] or match["only"]) for end in ("low", "high"))
    if low > high:
        raise UsageError(f"{place}: random({low}, {high}) has no number in it: the lower one comes first")
    if not -_LARGEST <= low <= high < _LARGEST:
        raise UsageError(f"{place}: a number here has at most 64 bits")
    return Draw(name=match["name"].decode(), low=low, high=high)


def _cut_statement(statement: Statement, dialect: Dialect, known: set[str]) -> Sending:
    if statement.copy_data is not None:
        raise UsageError(f"{statement.place()}: a script of a load copies nothing from its own text: leave it out")
    texts, names, end = list[str](), list[str](), 0
    for parameter in find_parameters(statement.text, dialect):
        if parameter.mark != ":" or parameter.name not in known:
            name = parameter.name
            raise UsageError(
                f"{statement.place()}: {parameter.written} has no value: give it one before, as in "
                f"\\set {name if name.isidentifier() else 'NAME'} random(1, 1000)"
            )
        texts.append(statement.text[end : parameter.start].decode())
        names.append(parameter.name)
        end = parameter.end
    return Sending(place=statement.place(), texts=(*texts, statement.text[end:].decode()), names=tuple(names))


def parse_weight(argument: str) -> tuple[str, int]:
    """Read FILE or FILE@WEIGHT; raises UsageError."""
    name, mark, weight = argument.rpartition("@")
    if not mark:
        return argument, 1
    if not re.fullmatch(r"[1-9][0-9]{0,8}", weight, re.ASCII) or not name:
        raise UsageError(
            f"--script {argument}: write FILE@WEIGHT, the weight a whole number above 0; a file with @ in its name "
            "needs a weight as well"
        )
    return name, int(weight)
