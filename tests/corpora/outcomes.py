"""What one side made of a script, and in which ways two of them differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from typing import TypeAlias

Row: TypeAlias = tuple[str, ...]

_MOST = 200
"""Differences of one kind in one file; more of them say no more."""
_SHOWN = 160
_SKIPPED = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|\#[^\n]*(?:\n|\Z)|/\*(?![!M+]).*?\*/)*", re.DOTALL)
_EMPTY_LINES = re.compile(r"\n+")
_LINES = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z))*")
_NESTED = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error that a client reported; what a client does not say is None, and is not compared."""

    code: str | None
    """SQLSTATE, or the engine's own number."""
    line: int | None
    column: int | None
    text: str
    start: tuple[int, int] | None = None
    """Where the statement starts at the earliest, if any place from there on will do: SQLite tells its callers none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a client did with a script."""

    statements: Sequence[str]
    """As the server received them."""
    rows: Sequence[Row]
    """Those of all results, one after the other; where the client names the columns, their names before them."""
    failures: Sequence[Failure]
    dump: Sequence[str]
    """The lines of what is in the database afterwards."""
    refusal: str | None = None
    """Why the script was not run to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that dbtool did differently."""

    kind: str
    """`statements`, `rows`, `errors`, `dump` or `refused`."""
    text: str


class TooLongError(Exception):
    """The native client took longer than a corpus may."""


def trim(statement: str) -> str:
    """Return a statement without what either client may leave out: comments before it, and its terminator."""
    start = _SKIPPED.match(statement)
    return statement[start.end() if start else 0 :].rstrip("; \t\r\n")


def skip_nested_comments(statement: str) -> str:
    """Return a statement without the comments before it, which may hold others in themselves."""
    while (statement := _LINES.sub("", statement)).startswith("/*"):
        depth, position = 0, 0
        for mark in _NESTED.finditer(statement):
            depth, position = depth + (1 if mark[0] == "/*" else -1), mark.end()
            if not depth:
                break
        statement = statement[position:]
    return statement.rstrip("; \t\r\n")


def hide_now(lines: Sequence[str]) -> list[str]:
    """Return lines in which no time of today is told from another: the two sides run one after the other."""
    today = datetime.now(UTC).date()
    days = "|".join(str(today + timedelta(days=offset)) for offset in (-1, 0, 1))
    moment = re.compile(rf"(?:{days})(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?)?")
    return [moment.sub("(now)", line) if "-" in line else line for line in lines]


def compare(
    native: Outcome, ours: Outcome, is_own: Callable[[str], bool] = lambda _statement: False
) -> list[Difference]:
    """Return what dbtool did differently; `is_own` says which statements it sends on its own account.

    A script that was not run to its end is different in every other way as well: nothing is said of those.
    """
    if ours.refusal is not None:
        return [Difference(kind="refused", text=ours.refusal)]
    return [
        *_compare_lists("statements", *_leave_out(native.statements, ours.statements, is_own)),
        *_compare_lists("rows", [*map(_spell, filter(None, native.rows))], [*map(_spell, filter(None, ours.rows))]),
        *_compare_failures(native.failures, ours.failures),
        *_compare_lists("dump", native.dump, ours.dump),
    ]


def _leave_out(
    native: Sequence[str], ours: Sequence[str], is_own: Callable[[str], bool]
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the statements of both without those that tell nothing."""
    # The clients differ in which empty lines they send.
    left, right = (
        [_EMPTY_LINES.sub("\n", each) for each in side if each and not is_own(each)] for side in (native, ours)
    )
    if right[-1:] == ["ROLLBACK"] != left[-1:]:
        # dbtool ends what a script has left open.
        right.pop()
    return left, right


def _spell(row: Row) -> str:
    return hide_now([repr(row)])[0]


def _compare_lists(kind: str, native: Sequence[str], ours: Sequence[str]) -> Iterator[Difference]:
    if native == ours:
        return
    for left, right in _align(native, ours):
        yield Difference(kind=kind, text=f"native: {_show(left)} | dbtool: {_show(right)}")


def _align(native: Sequence[str], ours: Sequence[str]) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Return the stretches that differ, at most so many."""
    same = next((place for place, pair in enumerate(zip(native, ours, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(native), len(ours)) if same is None else same
    # What is alike at the beginning is most of it, and the matcher takes the square of what it is given.
    left, right = native[start : start + 5000], ours[start : start + 5000]
    steps = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    return [(left[a:b], right[c:d]) for tag, a, b, c, d in steps if tag != "equal"][:_MOST]


def _show(items: Sequence[str]) -> str:
    if not items:
        return "nothing"
    shown = items[0].replace("\n", "\\n")
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return (shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...") + more


def _compare_failures(native: Sequence[Failure], ours: Sequence[Failure]) -> Iterator[Difference]:
    def key(failure: Failure) -> tuple[str | None, str]:
        return failure.code, " ".join(failure.text.split())

    steps = SequenceMatcher(None, [*map(key, native)], [*map(key, ours)], autojunk=False).get_opcodes()
    for tag, a, b, c, d in steps:
        if tag != "equal":
            yield Difference(kind="errors", text=f"native: {_list(native[a:b])} | dbtool: {_list(ours[c:d])}")
            continue
        for left, right in zip(native[a:b], ours[c:d], strict=True):
            places = ((left.line, right.line), (left.column, right.column))
            is_there = all(None in pair or pair[0] == pair[1] for pair in places)
            if not is_there and not _is_within(left, right):
                yield Difference(kind="errors", text=f"native: {_list([left])} | dbtool: {_list([right])}")


def _is_within(native: Failure, ours: Failure) -> bool:
    if native.start is None or native.line is None or native.column is None:
        return False
    return native.start <= (ours.line or 0, ours.column or 0) <= (native.line, native.column)


def _list(failures: Sequence[Failure]) -> str:
    shown = [f"{each.line or '?'}:{each.column or '?'}: {each.text} [{each.code}]" for each in failures[:2]]
    return ("; ".join(shown) or "nothing") + (f" and {len(failures) - 2} more" if len(failures) > 2 else "")
