"""Reports of pool-bench, made up: ordinary ones, and awkward ones."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TextIO

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import (
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
from dbtool.environment import Environment

HOSTILE = "<script>alert('x')</script> & \"q\" \x1b[31mred\x1b[0m $\\frac$ [bold]b[/b] \N{CJK UNIFIED IDEOGRAPH-6F22}"
_STATES = ("setting", "search_path", "temp table", "advisory lock", "prepared statement", "open transaction")
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def make_environment(
    *,
    is_terminal: bool = False,
    variables: dict[str, str] | None = None,
    stderr: TextIO | None = None,
) -> Environment:
    """Return the surroundings of a command whose stderr is kept in memory."""
    here = Path()
    return Environment(
        variables=variables or {},
        working_directory=here,
        home=here,
        config_directory=here,
        state_directory=here,
        stdin=io.BytesIO(),
        stdout=io.BytesIO(),
        stderr=stderr or io.StringIO(),
        stderr_is_terminal=is_terminal,
    )


def make_load(*, rate: float | None = None, client_bound: bool = False) -> LoadFacts:
    """Return a load of 16 threads on 5 connections for 10 s."""
    return LoadFacts(
        model="closed" if rate is None else "open",
        threads=16,
        processes=1,
        connections=5,
        hold=0.002,
        think=0.0,
        rate=rate,
        arrivals=None if rate is None else "poisson",
        work="select 1",
        duration=10.0,
        client_bound=client_bound,
    )


@cache
def make_histogram(middle: float, spread: float = 0.6, *, size: int = 4000) -> Histogram:
    """Return durations that are spread around a middle as on a bell, on a logarithmic scale."""
    histogram = Histogram()
    for number in range(size):
        part = (number + 0.5) / size
        # The logistic distribution's quantiles: close to a bell's, and without a library.
        histogram.record(middle * math.exp(spread * math.log(part / (1 - part)) / 1.7))
    return histogram


def make_series(throughput: float, *, tells_idle: bool = True) -> tuple[Instant, ...]:
    """Return a run of 10 s, a value for each half second."""
    return tuple(
        Instant(
            at=step / 2,
            throughput=throughput * (1 + 0.1 * math.sin(step)),
            in_use=4 - step // 2 % 2,
            waiting=12 + step // 2 % 2,
            idle=step % 2 if tells_idle else None,
            failures=0,
            lent=5 - step % 2 if tells_idle else None,
        )
        for step in range(20)
    )


def make_course(middle: float, *, fault: range = range(0)) -> tuple[Moment, ...]:
    """Return a run of 10 s, a value for each half second; during a fault nothing comes to its end."""
    return tuple(
        Moment(
            at=(step + 1) / 2,
            throughput=0.0 if step in fault else 1 / middle,
            p50=0.0 if step in fault else middle * (1 + 0.1 * math.sin(step)),
            p99=0.0 if step in fault else middle * (5 + math.cos(step)) * (10 if step - 1 in fault else 1),
            failures=20 if step in fault else 0,
        )
        for step in range(20)
    )


def make_sound(pool: str = "dbtool", *, speed: float = 1.0) -> Report:
    """Return a pool that passed everything."""
    histograms = {
        "acquire": make_histogram(0.004 / speed),
        "connect": make_histogram(0.001, 0.3, size=5),
        "query": make_histogram(0.0001),
        "release": make_histogram(0.00001),
        "total": make_histogram(0.0062 / speed, 0.5),
    }
    latencies = {name: Latency.of(histogram) for name, histogram in histograms.items()}
    measures = Measures(
        throughput=2412.5 * speed,
        requests=24125,
        reuse_ratio=0.9998,
        round_trips=1.0,
        fairness=Fairness(jain=0.9997, min_turns=1499, max_turns=1517, max_to_median_wait=3.1),
        storm=Storm(fill=0.21, single_connect=0.2, serialisation=1.05, peak_connects=5, delay=0.2),
        timeout=TimeoutHonesty(configured=0.5, overrun_p99=0.0012, earliest=0.0001),
        nested="an error after its timeout",
        harness=Harness(cost=4.1e-6, rate=181000, cpu_share=0.34),
        acquire=latencies["acquire"],
        connect=latencies["connect"],
        query=latencies["query"],
        release=latencies["release"],
        total=latencies["total"],
    )
    return Report(
        pool=pool,
        profile="demo",
        engine="sqlite",
        verdict="pass",
        environment={"dbtool": "0.9", "python": "3.11.9", "driver": "sqlite3 2.6.0", "server": "3.46.1", "cpus": 2},
        load=make_load(),
        gates=(
            Gate(name="exclusivity", status="pass", detail="24,125 turns, none shared"),
            Gate(name="capacity", status="pass", detail="at most 5 of 5"),
            Gate(name="bleed", status="pass", detail="6 states tried"),
            Gate(name="starvation", status="pass", detail="Jain index 1.000"),
            Gate(name="identity", status="skipped", detail="one database only"),
        ),
        measures=measures,
        bleed=tuple(Bleed(state=state, leaked=False) for state in _STATES),
        histograms=histograms,
        series=make_series(2412.5 * speed),
        course=make_course(0.0062 / speed),
    )


def make_failed(pool: str = "peewee") -> Report:
    """Return a pool that starved threads and leaked state."""
    sound = make_sound(pool, speed=0.4)
    measures = replace(
        sound.measures,
        failures=17,
        first_failure="OperationalError: server closed the connection",
        fairness=Fairness(
            jain=0.25, min_turns=1, max_turns=4764, starved=3, max_to_median_wait=812.0, one_second_waits=12
        ),
        storm=Storm(fill=2.0, single_connect=0.2, serialisation=10.0, peak_connects=1, delay=0.2),
        timeout=TimeoutHonesty(configured=0.5, overrun_p99=1.5, earliest=-0.2),
        validate=Latency.of(make_histogram(0.0003)),
    )
    gates = (
        Gate(name="exclusivity", status="pass", detail="9,650 turns, none shared"),
        Gate(name="bleed", status="fail", detail="advisory lock reached the next borrower"),
        Gate(
            name="starvation", status="fail", detail="Jain index 0.250; 3 threads had no turn while others had twenty"
        ),
    )
    bleed = (
        *(Bleed(state=state, leaked=state != "open transaction") for state in _STATES[1:]),
        Bleed(state="isolation level", leaked=None, detail="behind a transaction pooler nothing is planted"),
    )
    chaos = (
        ChaosResult(
            name="kill-idle",
            failures=0,
            recovery=0.4,
            first_success=0.012,
            p99=0.03,
            worst=0.05,
            struck=4.0,
            healed=4.5,
            course=make_course(0.0155, fault=range(8, 9)),
        ),
        ChaosResult(
            name="blackhole",
            failures=211,
            recovery=None,
            p99=2.0,
            worst=2.1,
            stalled_releases=16,
            struck=3.0,
            healed=5.0,
            course=make_course(0.0155, fault=range(6, 20)),
            detail="held for 2s",
        ),
    )
    return replace(
        sound,
        verdict="fail",
        measures=measures,
        gates=gates,
        bleed=bleed,
        chaos=chaos,
        series=make_series(965.0, tells_idle=False),
        notes=("the profile has no reset, and so the session's state is only shown",),
    )


def make_swept(pool: str = "dbtool", profile: str = "prod") -> Report:
    """Return a run with a sweep that ends in a recommendation."""
    fitted = {size: 900 * size / (1 + 0.03 * (size - 1) + 0.002 * size * (size - 1)) for size in _SIZES}
    sweep = tuple(
        SweepResult(
            connections=size,
            throughput=fitted[size] * (1.04 if size % 3 else 0.97),
            wait_p99=0.08 / size,
            client_bound=size == 32,
            fitted=fitted[size],
        )
        for size in _SIZES
    )
    reason = "the fewest with 95% of the peak at 22, and a p99 wait of 5ms within the 10ms asked for"
    return replace(
        make_sound(pool),
        profile=profile,
        sweep=sweep,
        recommendation=Recommended(max_connections=16, low=12, high=18, reason=reason),
    )


def make_refused() -> Report:
    """Return an open loop that was bound by its own generator, and so recommends nothing."""
    return replace(
        make_swept(profile="demo"),
        load=make_load(rate=500, client_bound=True),
        recommendation=Recommended(
            max_connections=None, low=None, high=None, reason="the run was client-bound from 8 connections on"
        ),
    )


def make_empty(pool: str = "none") -> Report:
    """Return a run in which nothing was measured at all."""
    return Report(
        pool=pool,
        profile="demo",
        engine="sqlite",
        verdict="fail",
        environment={},
        load=make_load(),
        gates=(Gate(name="fork", status="skipped", detail=""),),
        measures=Measures(failures=3, timeout=TimeoutHonesty()),
        histograms={"acquire": Histogram(), "total": Histogram()},
        bleed=(Bleed(state="temp table", leaked=None),),
    )


def make_hostile() -> Report:
    """Return a run in which every text that came from elsewhere is hostile."""
    failed = make_failed(HOSTILE)
    return replace(
        failed,
        profile=HOSTILE,
        engine=HOSTILE,
        environment={HOSTILE: HOSTILE},
        load=replace(failed.load, work=HOSTILE),
        gates=(Gate(name=HOSTILE, status="fail", detail=HOSTILE),),
        measures=replace(failed.measures, first_failure=HOSTILE, nested=HOSTILE),
        bleed=(Bleed(state=HOSTILE, leaked=True, detail=HOSTILE),),
        sweep=make_swept().sweep,
        recommendation=Recommended(max_connections=4, low=None, high=None, reason=HOSTILE),
        chaos=(replace(failed.chaos[0], name=HOSTILE, detail=HOSTILE),),
        notes=(HOSTILE,),
    )


def make_many() -> list[Report]:
    """Return eight pools, one of a long name, beside each other."""
    names = ("dbtool", "peewee", "sqlalchemy", "psycopg", "dbutils", "none", "connect")
    sound = [make_sound(name, speed=1 - number / 10) for number, name in enumerate(names)]
    return [*sound, make_failed("myapp.infrastructure.persistence.database.connections:make_pool")]
