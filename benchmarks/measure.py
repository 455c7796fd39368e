"""Timing whole processes: the operating system's own accounting, several runs, in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do a piece of work; `script` goes to standard input, `variables` are its own."""

    name: str
    command: Sequence[str]
    script: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds of wall clock and of CPU, and the peak of resident memory in MB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """The medians of a contender's runs."""

    contender: Contender
    samples: Sequence[Sample]

    @property
    def wall(self) -> float:
        """Median seconds."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def fastest(self) -> float:
        """Fewest seconds."""
        return min(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def peak(self) -> float:
        """Median peak memory, MB."""
        return statistics.median(sample.peak for sample in self.samples)


def run_once(contender: Contender, environment: Mapping[str, str]) -> Sample:
    """Run a contender with its output thrown away; raises RuntimeError if it fails."""
    launched = subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCHER), str(contender.script or os.devnull), *contender.command],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, **contender.variables},
    )
    if launched.returncode or '"status": 0' not in launched.stdout:
        raise RuntimeError(f"{contender.name} failed: {launched.stderr[-500:]}")
    used = json.loads(launched.stdout)
    return Sample(used["wall"], used["cpu"], used["peak"])


def measure(contenders: Sequence[Contender], environment: Mapping[str, str], *, runs: int) -> list[Measurement]:
    """Run the contenders in turn, A B C C B A, so that a drifting machine is fair to all; the first turn warms up."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(1 + runs):
        for contender in contenders[:: -1 if number % 2 else 1]:
            sample = run_once(contender, environment)
            if number:
                samples[contender.name].append(sample)
    return [Measurement(contender, samples[contender.name]) for contender in contenders]
