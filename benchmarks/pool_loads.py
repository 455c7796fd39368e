"""Threads that borrow, use and return connections, and what became of each turn: data, never text."""

from __future__ import annotations

import statistics
import threading
import time
import timeit
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.pool_subjects import Borrow, Subject, Wish, list_cycles, make_subject

_WARM_UP_TURNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run; times in seconds, each from asking for a connection to having returned it."""

    times: array[float]
    turns: tuple[int, ...]
    """Turns of each thread."""
    elapsed: float
    failures: int

    @property
    def throughput(self) -> float:
        """Turns per second."""
        return len(self.times) / self.elapsed

    @property
    def jain(self) -> float:
        """1 if every thread had as many turns, 1/n if one had them all."""
        squares = sum(turn * turn for turn in self.turns)
        return sum(self.turns) ** 2 / (len(self.turns) * squares) if squares else 0.0

    def percentile(self, part: float) -> float:
        """Return the time within which this part of the turns was over."""
        return find_percentile(self.times, part)


def find_percentile(times: Sequence[float], part: float) -> float:
    """Return the value below which this part of the values lies."""
    ordered = sorted(times)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def use_stub(_connection: Any) -> None:
    """Do nothing: the pool is all that costs."""


def use_postgres(connection: Any) -> None:
    """Make one round trip."""
    cursor = connection.cursor()
    cursor.execute("select 1")
    cursor.fetchone()
    cursor.close()


def run_load(borrow: Borrow, use: Callable[[Any], None], *, threads: int, seconds: float) -> Outcome:
    """Let threads borrow, use and return connections as fast as they can."""
    start = threading.Barrier(threads + 1)
    finish = threading.Event()
    samples = [array("d") for _ in range(threads)]
    failures = [0] * threads

    def turn() -> None:
        with borrow() as connection:
            use(connection)

    def work(number: int) -> None:
        for _ in range(_WARM_UP_TURNS):
            turn()
        start.wait()
        while not finish.is_set():
            started = time.perf_counter()
            try:
                turn()
            except Exception:
                failures[number] += 1
            else:
                samples[number].append(time.perf_counter() - started)

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    started = time.perf_counter()
    time.sleep(seconds)
    finish.set()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - started
    times = array("d", (time for sample in samples for time in sample))
    turns = tuple(len(sample) for sample in samples)
    return Outcome(times=times, turns=turns, elapsed=elapsed, failures=sum(failures))


def run_in_turn(
    names: Sequence[str], wish: Wish, *, threads: int, seconds: float, rounds: int
) -> dict[str, list[Outcome]]:
    """Run a load on each pool in turn, A B C A B C, so that a drifting machine is fair to all."""
    use = use_stub if wish.settings is None else use_postgres
    subjects: list[Subject] = [make_subject(name, wish) for name in names]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    try:
        for number in range(rounds):
            # Whoever comes first in one round comes last in another.
            for subject in subjects if number % 2 == 0 else reversed(subjects):
                outcomes[subject.name].append(run_load(subject.borrow, use, threads=threads, seconds=seconds))
    finally:
        for subject in subjects:
            subject.close()
    return outcomes


def measure_costs(*, rounds: int, number: int) -> dict[str, float]:
    """Return the median seconds of a checkout and return with nobody else there, on the stub."""
    cycles = list(list_cycles())
    costs: dict[str, list[float]] = {name: [] for name, _ in cycles}
    for _ in range(rounds):
        for name, cycle in cycles:
            cycle()
            costs[name].append(min(timeit.repeat(cycle, number=number, repeat=3)) / number)
    return {name: statistics.median(values) for name, values in costs.items()}
