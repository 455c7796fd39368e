"""How the machine stood a load: how busy it was, and whether its threads got their time."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from dbtool.records import Record

_COUNTERS = Path("/proc/stat")
"""Of Linux: its first line says what the time of all processors went to."""
_IDLE, _WAITS = 3, 4
_STEAL = 7
_OWN_COUNTERS = 8
"""Those after it are counted in the first ones as well."""


class Ticks(Record):
    """What the time of all processors went to so far."""

    idle: int
    steal: int
    whole: int


class Strain(Record):
    """What one process's load did to it; None where the platform does not tell."""

    cpu_share: float = 0.0
    """How much of one core this process kept busy."""
    steal: float | None = None
    """The share of the machine's time that its host gave to others."""
    idle: float | None = None
    """The share of its time in which its processors had nothing to do."""
    voluntary: float | None = None
    """Times a second that a thread gave up its processor, as one does that waits."""
    involuntary: float | None = None
    """Times a second that one had to."""


class StrainMeter:
    """Measures from when it is made until it is read."""

    def __init__(self) -> None:
        self._at, self._cpu = time.perf_counter(), time.process_time()
        self._ticks, self._switches = read_ticks(), _count_switches()

    def read(self) -> Strain:
        """Return what has been since."""
        elapsed = time.perf_counter() - self._at
        if elapsed <= 0:
            return Strain()
        cpu_share, ticks = (time.process_time() - self._cpu) / elapsed, read_ticks()
        strain = Strain(
            cpu_share=cpu_share,
            steal=find_share("steal", self._ticks, ticks),
            idle=find_share("idle", self._ticks, ticks),
        )
        before, after = self._switches, _count_switches()
        if before is None or after is None:
            return strain
        voluntary, involuntary = ((later - earlier) / elapsed for earlier, later in zip(before, after, strict=True))
        return strain.replaced(voluntary=voluntary, involuntary=involuntary)


def read_load_average() -> float | None:
    """Return the load average of the last minute, None where there is none."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def read_ticks(counters: Path = _COUNTERS) -> Ticks | None:
    """Return what the processors' time went to; None where nobody tells."""
    try:
        line = counters.read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(word) for word in line.split()[1 : 1 + _OWN_COUNTERS]]
    except (OSError, ValueError):
        return None
    if len(ticks) < _OWN_COUNTERS:
        return None
    return Ticks(idle=ticks[_IDLE] + ticks[_WAITS], steal=ticks[_STEAL], whole=sum(ticks))


def find_share(name: str, before: Ticks | None, after: Ticks | None) -> float | None:
    """Return which share of the time between two readings went to one thing."""
    if before is None or after is None or after.whole <= before.whole:
        return None
    share: float = (getattr(after, name) - getattr(before, name)) / (after.whole - before.whole)
    return share


def _count_switches() -> tuple[int, int] | None:
    """Return this process's voluntary and involuntary switches so far."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - there is none on Windows

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw, usage.ru_nivcsw
