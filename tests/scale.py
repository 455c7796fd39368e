"""How much of what could be tried is tried: enough for every day in `make test`, all of it in `make soak`."""

from __future__ import annotations

import os

IS_SOAK = os.environ.get("DBTOOL_TEST_SOAK") == "1"
"""`make soak` says so."""


def _count(usual: int, soak: int) -> int:
    return soak if IS_SOAK else usual


EXAMPLES = _count(50, 1000)
"""What hypothesis makes up for a test that names no number of its own."""
FORMAT_EXAMPLES = _count(15, 1000)
"""What it makes up for each of eight formats."""
COMMAND_LINES = _count(150, 4000)
"""Command lines that the quick way and Typer are both fed."""
SPELLINGS = _count(100, 2000)
"""Spellings of a forbidden statement, each sent to a server."""
SERVER_ROWS = _count(20, 400)
"""Results that a server makes for one comparison."""
SCRIPTS_BESIDE_PSQL = _count(300, 5000)
"""Scripts that are cut by psql as well."""
SWITCHES = _count(20, 100)
"""Commands that switch at the same time."""
STALLS = _count(20, 400)
"""Outputs that stall at some place."""

SIZING_SEEDS = _count(30, 100)
"""Noisy sweeps of one server; nine of ten intervals have to cover its optimum."""
SIZING_SWEEPS = _count(8, 200)
"""Noisy sweeps of any servers."""

POOL_RUNS = _count(15, 200)
"""Runs of the pool against its model."""
POOL_STEPS = _count(30, 60)
"""Steps of each at most."""
INTERRUPTS = _count(4, 300)
"""Interrupts of each kind of statement, at random moments."""
SOUND_RUNS = _count(5, 20)
"""Benches of a sound pool, none of which may find a fault."""

RESULT_ROWS = _count(75_000, 1_000_000)
"""Rows of a result that has to pass without being held."""
SCRIPT_ROWS = _count(60_000, 500_000)
"""Rows of a script, of about 120 bytes each."""
