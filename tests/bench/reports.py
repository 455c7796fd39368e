"""Reports of runs that never were, with something in every field.

`python -m tests.bench.reports` writes the golden file anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import (
    PHASES,
    Bleed,
    ChaosResult,
    Fairness,
    Gate,
    Harness,
    Instant,
    Latency,
    LoadFacts,
    Measures,
    Moment,
    Recommended,
    Report,
    Storm,
    SweepResult,
    TimeoutHonesty,
)

GOLDEN = Path(__file__).parent / "golden" / "report.json"


def count(*seconds: float) -> Histogram:
    """Return a histogram of these durations."""
    histogram = Histogram()
    for duration in seconds:
        histogram.record(duration)
    return histogram


_LOAD = LoadFacts(
    model="open",
    threads=16,
    processes=2,
    connections=10,
    hold=0.002,
    think=0.0,
    rate=500.0,
    arrivals="poisson",
    work="select 1",
    duration=10.0,
    client_bound=False,
)
_HISTOGRAMS = {
    phase: count(*(0.001 * (order + 1) * step for step in range(1, 101))) for order, phase in enumerate(PHASES)
}
_LATENCIES: dict[str, Any] = {phase: Latency.of(_HISTOGRAMS[phase]) for phase in PHASES}
_MEASURES = Measures(
    throughput=498.5,
    requests=4985,
    failures=3,
    refused=1,
    first_failure="the pool 'prod' had no connection to give",
    reuse_ratio=0.998,
    round_trips=1.0,
    fairness=Fairness(jain=0.9991, min_turns=300, max_turns=320, starved=1, max_to_median_wait=3.5, one_second_waits=2),
    storm=Storm(fill=0.21, single_connect=0.2, serialisation=1.05, peak_connects=10, delay=0.2),
    timeout=TimeoutHonesty(configured=5.0, overrun_p99=0.004, earliest=0.001),
    nested="PoolTimeoutError",
    harness=Harness(
        cost=0.000012,
        rate=80000.0,
        cpu_share=0.41,
        load_average=1.25,
        steal=0.02,
        voluntary_switches=2100.0,
        involuntary_switches=35.5,
    ),
)
REPORT = Report(
    pool="dbtool",
    profile="prod",
    engine="postgresql",
    verdict="fail",
    environment={"dbtool": "1.0", "python": "3.11.2", "driver": "psycopg2 2.9.10", "server": None, "cpus": 2},
    load=_LOAD,
    gates=(
        Gate(name="exclusivity", status="pass", detail="no connection had two borrowers"),
        Gate(name="leaks", status="fail", detail="1 connection is still in use"),
        Gate(name="fork", status="skipped", detail="there is no fork here"),
        Gate(name="starvation", status="warning", detail="one thread had most turns"),
        Gate(name="expiry", status="fail", detail="a connection older than 1 s was handed out", ignored=True),
    ),
    measures=replace(_MEASURES, **_LATENCIES),
    bleed=(
        Bleed(state="advisory lock", leaked=True),
        Bleed(state="temp table", leaked=None, detail="a transaction pooler is between"),
    ),
    histograms=_HISTOGRAMS,
    series=(
        Instant(at=0.5, throughput=480.0, in_use=9, waiting=4, idle=1, failures=0, lent=9, queued=7),
        Instant(at=1.0, throughput=510.0, in_use=10, waiting=6, idle=None, failures=3),
    ),
    course=(
        Moment(at=0.5, throughput=480.0, p50=0.004, p99=0.04, failures=0),
        Moment(at=1.0, throughput=510.0, p50=0.0041, p99=0.05, failures=3),
    ),
    sweep=(
        SweepResult(connections=1, throughput=120.0, wait_p99=0.1, client_bound=False, fitted=119.5, kept=False),
        SweepResult(connections=2, throughput=230.0, wait_p99=0.05, client_bound=True),
    ),
    recommendation=Recommended(max_connections=None, low=None, high=None, reason="the run was client-bound"),
    chaos=(
        ChaosResult(
            name="kill-idle",
            failures=0,
            recovery=None,
            first_success=0.01,
            p99=0.04,
            worst=0.06,
            longest_release=0.002,
            struck=1.0,
            healed=1.05,
            course=(Moment(at=1.1, throughput=480.0, p50=0.004, p99=0.04, failures=0),),
            detail="4 killed",
        ),
    ),
    notes=("latency counts from the intended start",),
    doubts=("2% of this machine's time was stolen",),
    partial="stopped by SIGINT, in the sweep",
)


def change_measures(report: Report = REPORT, **changes: Any) -> Report:
    """Return the report with other measures."""
    return replace(report, measures=replace(report.measures, **changes))


def change_load(report: Report = REPORT, **changes: Any) -> Report:
    """Return the report of another load."""
    return replace(report, load=replace(report.load, **changes))


def write(report: Report = REPORT) -> str:
    """Return the report as text."""
    return json.dumps(report.to_json(), indent=2) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(write(), encoding="utf-8", newline="\n")
