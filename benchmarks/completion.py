"""How long the prompt takes from a key to the screen, on databases of many tables, in a pseudo-terminal."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.places import TABLES, Places
from tests.cli.terminal import Terminal, on_terminal

_BUDGET = 0.050
_TRIES = 20
_PATIENCE = 120.0
"""Seconds within which the names have to be known."""
_KILL_LINE = "\x15"
_TYPED = "select * from many_000"


def measure_completion(places: Places) -> Iterator[str]:
    """Yield the lines of a table: keys while the names are fetched, and the Tab key once they are known."""
    yield f"# Completion with {TABLES:,} tables\n"
    yield "From a key to the first answer on the screen of a pseudo-terminal.\n"
    yield "| Key | Median ms | Slowest ms | Budget |"
    yield "| --- | --- | --- | --- |"
    for profile in ("many-postgres", "many-mariadb", "many-sqlite"):
        variables = {"DBTOOL_CONFIG": str(places.profiles)}
        with (
            tempfile.TemporaryDirectory() as home,
            on_terminal("query", "-p", profile, home=Path(home), environment=variables) as terminal,
        ):
            terminal.wait_for(f"{profile}>")
            started = time.monotonic()
            keys = list(_type_until_names_are_known(terminal, started + _PATIENCE))
            known = time.monotonic() - started
            yield _row(f"a letter, while the names are fetched ({known:.1f} s), {profile}", keys)
            yield _row(f"Tab behind a part of a name, {profile}", [_complete(terminal) for _ in range(_TRIES)])
            terminal.interrupt()


def _type_until_names_are_known(terminal: Terminal, give_up: float) -> Iterator[float]:
    while time.monotonic() < give_up:
        yield from (terminal.press(key) for key in _TYPED)
        terminal.type("\t")
        time.sleep(0.2)
        terminal.press("9")
        is_known = "many_00001" in terminal.screen
        terminal.press(_KILL_LINE)
        if is_known:
            return
    raise SystemExit("the names were never completed")


def _complete(terminal: Terminal) -> float:
    for key in _TYPED:
        terminal.press(key)
    time.sleep(0.1)  # what is still to be drawn is no answer to the next key
    terminal.drain()
    took = terminal.press("\t")
    terminal.drain()
    terminal.interrupt()
    terminal.wait_for(">")
    return took


def _row(name: str, seconds: Sequence[float]) -> str:
    slowest = max(seconds)
    verdict = "met" if slowest <= _BUDGET else "**not met**"
    median = statistics.median(seconds)
    return f"| {name} | {median * 1000:.1f} | {slowest * 1000:.1f} | {_BUDGET * 1000:.0f} ms: {verdict} |"
