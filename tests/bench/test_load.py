"""The load: what its threads do, and what it says they saw."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from dbtool.bench.load import run as load_run
from dbtool.bench.load.control import Control
from dbtool.bench.load.plan import Load, Sample, Status, thin
from dbtool.bench.load.run import LoadRun
from dbtool.bench.pools.recipe import BenchPool
from dbtool.bench.reports.report import Instant
from tests.bench.stubs import Bottleneck, NullWork, Stall, StubPool, load_of
from tests.servers.processes import wait_until

# Short loads are judged.
pytestmark = pytest.mark.timing


@contextmanager
def running(pool: BenchPool, load: Load) -> Iterator[tuple[LoadRun, list[Sample]]]:
    """Run a load beside the block, and end it after it."""
    run, samples = LoadRun(pool, load), list[Sample]()
    thread = threading.Thread(target=lambda: samples.append(run.run()))
    thread.start()
    try:
        yield run, samples
    finally:
        run.control.finish()
        thread.join()


def test_a_closed_loop_times_each_phase_apart() -> None:
    pool = StubPool(borrow=lambda: time.sleep(0.01), release=lambda: time.sleep(0.02))
    load = load_of(threads=2, hold=0.03, work=NullWork(lambda _: time.sleep(0.04)))
    whole = LoadRun(pool, load).run().whole
    for phase, seconds in (("acquire", 0.01), ("query", 0.04), ("release", 0.02), ("total", 0.1)):
        # Below the longest, as a busy machine may make any one longer.
        assert seconds <= getattr(whole, phase).percentile(0.0) * 1.01
        assert getattr(whole, phase).count == whole.turns
    assert whole.acquire.percentile(0.0) < whole.release.percentile(0.0) < whole.query.percentile(0.0)


def test_thinking_is_no_part_of_a_turn() -> None:
    sample = LoadRun(StubPool(), load_of(threads=1, think=0.05, duration=0.3)).run()
    assert 1 <= sample.whole.turns <= 7
    assert sample.whole.total.percentile(0.5) < 0.05


def test_an_open_loop_shows_a_second_in_which_the_server_stood_still() -> None:
    load = load_of(rate=200.0, is_poisson=False, duration=1.6, hold=0.0)
    with ThreadPoolExecutor(2) as side_by_side:
        loads = (load, load.replaced(rate=None))
        open_loop, closed_loop = side_by_side.map(
            lambda one: LoadRun(StubPool(borrow=Stall(begin=0.3, end=1.3)), one).run(), loads
        )
    # Half of the requests were to begin in that second, and only four had been sent.
    assert open_loop.whole.turns == pytest.approx(320, abs=2)
    assert open_loop.whole.total.percentile(0.999) > 0.9
    # Whoever waited meanwhile waited for a thread, and not for the pool.
    assert open_loop.whole.queued.percentile(0.75) > 0.4
    assert open_loop.whole.acquire.percentile(0.75) < 0.1
    assert open_loop.whole.wait.percentile(0.75) > 0.4
    assert closed_loop.whole.acquire.percentile(0.99) < 0.3


def test_an_open_loop_that_is_too_fast_for_the_server_has_the_servers_throughput() -> None:
    load = load_of(rate=400.0, is_poisson=False, duration=0.5, hold=0.0)
    sample = LoadRun(StubPool(borrow=Bottleneck(0.01)), load).run()
    assert sample.whole.turns == pytest.approx(200, abs=2)
    assert sample.throughput <= 101
    assert sample.elapsed >= 2.0


def test_what_is_under_way_at_the_end_is_counted_with_its_time() -> None:
    sample = LoadRun(StubPool(), load_of(threads=3, hold=0.0, duration=0.05, work=NullWork(_sleep_long))).run()
    assert sample.whole.turns == 3
    assert sample.elapsed >= 0.3


def _sleep_long(_connection: Any) -> None:
    time.sleep(0.3)


def test_arrivals_after_the_end_are_not_waited_for() -> None:
    started = time.monotonic()
    sample = LoadRun(StubPool(), load_of(rate=0.1, is_poisson=False, duration=0.2)).run()
    assert sample.whole.turns == 1
    assert time.monotonic() - started < 5


def test_the_generators_own_lateness_is_kept_apart() -> None:
    sample = LoadRun(StubPool(), load_of(rate=100.0, duration=0.3)).run()
    assert sample.late.count > 0
    assert LoadRun(StubPool(), load_of()).run().late.count == 0


def _fail() -> None:
    raise ConnectionError("no\nway")


def _fail_with(_connection: Any) -> None:
    _fail()


@pytest.mark.parametrize(
    ("pool", "work"),
    [
        (StubPool(borrow=_fail), NullWork()),
        (StubPool(release=_fail), NullWork()),
        (StubPool(), NullWork(_fail_with)),
    ],
    ids=["borrowing", "returning", "working"],
)
def test_a_failure_is_a_sample_and_no_turn(pool: StubPool, work: NullWork) -> None:
    sample = LoadRun(pool, load_of(work=work, hold=0.0)).run()
    assert sample.whole.turns == sum(sample.turns) == 0
    assert sample.whole.failures >= 4
    assert sample.whole.total.count == sample.whole.failures
    assert sample.whole.first_failure == "ConnectionError: no way"
    assert sample.throughput == 0.0
    assert sum(instant.failures for instant in sample.series) <= sample.whole.failures


def test_a_block_that_fails_is_left_with_its_error() -> None:
    left: list[BaseException | None] = []

    class Pool(StubPool):
        @contextmanager
        def connection(self) -> Iterator[None]:
            try:
                yield
            except BaseException as error:
                left.append(error)
                raise

    LoadRun(Pool(), load_of(work=NullWork(_fail_with), duration=0.05)).run()
    assert {type(error) for error in left} == {ConnectionError}


def test_the_warm_up_counts_for_nothing() -> None:
    numbers = count()

    def connect_first() -> None:
        if next(numbers) < 4:
            time.sleep(0.3)

    sample = LoadRun(StubPool(borrow=connect_first), load_of(warm_up=0.5, duration=0.2)).run()
    assert sample.whole.total.longest < 0.3
    assert sample.warm_turns >= 4
    assert sum(sample.turns) == sample.whole.turns > 0
    assert sample.series[0].at < 0.3


@pytest.mark.parametrize("rate", [None, 4000.0])
def test_a_paused_run_begins_no_turn(rate: float | None) -> None:
    turns = count()
    begun: list[int] = []

    def borrow() -> None:
        begun.append(next(turns))

    with running(StubPool(borrow=borrow), load_of(threads=4, duration=60.0, hold=0.0, rate=rate)) as (run, _):
        assert wait_until(lambda: len(begun) > 100, seconds=20)
        for _ in range(40):
            run.control.pause()
            assert wait_until(lambda: not run.busy, seconds=20)
            before = len(begun)
            time.sleep(0.002)
            assert len(begun) == before
            run.control.resume()
            assert wait_until(lambda number=before: len(begun) > number, seconds=20)  # type: ignore[misc]


class _HeldUp(Control):
    """Holds a thread up that has just been told that nobody has paused the run."""

    def __init__(self) -> None:
        self.has_asked, self.goes_on = threading.Event(), threading.Event()
        self._value = True
        super().__init__()

    @property
    def is_free(self) -> bool:
        value = self._value
        if threading.current_thread().name == "bench-load":
            self.has_asked.set()
            self.goes_on.wait(60)
        return value

    @is_free.setter
    def is_free(self, value: bool) -> None:
        self._value = value


def test_a_thread_that_is_about_to_begin_is_seen_by_who_pauses_the_run() -> None:
    control = _HeldUp()
    run = LoadRun(StubPool(), load_of(threads=1, duration=60.0, hold=0.0), control=control)
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        assert control.has_asked.wait(20)
        control.pause()
        assert run.busy == 1
        control.goes_on.set()
        assert wait_until(lambda: not run.busy, seconds=20)
    finally:
        control.goes_on.set()
        control.finish()
        thread.join()


def test_a_run_is_ended_from_another_thread_also_while_it_is_paused() -> None:
    started = time.monotonic()
    with running(StubPool(), load_of(duration=60.0, hold=60.0)) as (run, samples):
        assert wait_until(lambda: run.holding == 4, seconds=20)
        run.control.pause()
        run.control.finish()
        assert wait_until(lambda: bool(samples), seconds=20)
    assert time.monotonic() - started < 20
    assert samples[0].stuck == 0
    assert samples[0].whole.turns == 0


def test_a_run_that_is_over_is_not_begun_again() -> None:
    control = Control()
    control.finish()
    control.pause()
    assert not control.wait_for_leave()
    control.resume()
    assert not control.is_free
    assert control.is_finished


def test_a_thread_that_does_not_come_back_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_run, "_GRACE", 0.2)
    numbers, freed = count(), threading.Event()

    def hang_once() -> None:
        if next(numbers) == 10:
            freed.wait(60)

    try:
        sample = LoadRun(StubPool(borrow=hang_once), load_of()).run()
    finally:
        freed.set()
    assert sample.stuck == 1
    assert sample.whole.turns > 10


def test_what_ends_in_a_later_tick_is_in_the_windows() -> None:
    def fail_slowly() -> None:
        time.sleep(0.25)
        _fail()

    load = load_of(duration=0.6, tick=0.05, keeps_windows=True)
    sample = LoadRun(StubPool(borrow=fail_slowly), load).run()
    in_windows = [window for window in sample.windows if window.tally.failures]
    assert sum(window.tally.failures for window in in_windows) == 8
    assert in_windows[0].start >= 0.15
    assert sample.whole.failures == 12


def test_windows_follow_one_another_and_add_up() -> None:
    sample = LoadRun(StubPool(), load_of(duration=0.4, tick=0.05, keeps_windows=True)).run()
    starts, ends = [w.start for w in sample.windows], [w.end for w in sample.windows]
    assert starts[1:] == pytest.approx(ends[:-1], abs=1e-6)
    assert sum(window.tally.turns for window in sample.windows) <= sample.whole.turns == sum(sample.turns)


def test_who_watches_is_told_how_it_goes() -> None:
    told: list[Status] = []
    sample = LoadRun(StubPool(), load_of(duration=0.4, tick=0.05)).run(told.append)
    assert len(told) >= 3
    assert [status.at for status in told] == sorted(status.at for status in told)
    assert any(status.in_use for status in told)
    assert [instant.throughput for instant in sample.series] == [status.throughput for status in told]
    assert {instant.idle for instant in sample.series} == {None}


def test_a_pool_that_tells_what_it_has_is_asked() -> None:
    class Telling(StubPool):
        def idle(self) -> int:
            return 3

        def lent(self) -> int:
            return 2

    sample = LoadRun(Telling(), load_of(duration=0.2, tick=0.05)).run()
    assert {(instant.idle, instant.lent) for instant in sample.series} == {(3, 2)}


def _instant(at: float, **changes: Any) -> Instant:
    return Instant(**{"at": at, "throughput": at, "in_use": 1, "waiting": 1, "idle": None, "failures": 1, **changes})


def test_a_thinned_series_keeps_every_failure_and_its_end() -> None:
    for length in (2, 7, 600, 601):
        series = [_instant(float(n), in_use=n % 3, waiting=2 - n % 3) for n in range(1, length + 1)]
        thinned = thin(series)
        assert len(thinned) == (length + 1) // 2
        assert sum(instant.failures for instant in thinned) == length
        assert thinned[-1].at == length
        assert {instant.in_use + instant.waiting for instant in thinned} == {2}
    assert thin([_instant(1.0), _instant(2.0)])[0].throughput == 1.5


def test_a_long_run_keeps_no_more_than_so_many_instants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_run, "LONGEST_SERIES", 8)
    sample = LoadRun(StubPool(), load_of(duration=0.5, tick=0.005)).run()
    assert 4 <= len(sample.series) <= 8
    assert sample.series[-1].at > 0.3


def test_a_thinned_pair_is_what_was_counted_at_its_busier_moment() -> None:
    quiet, busy = _instant(1.0, in_use=2, waiting=0, lent=3), _instant(2.0, in_use=1, waiting=2, lent=1)
    for pair in ([quiet, busy], [replace(busy, at=1.0), replace(quiet, at=2.0)]):
        (found,) = thin(pair)
        assert (found.at, found.in_use, found.waiting, found.lent) == (2.0, 1, 2, 1)


@pytest.mark.timing
def test_the_course_of_a_run_has_every_turn_but_those_of_a_short_end() -> None:
    sample = LoadRun(StubPool(), load_of(duration=0.9, tick=0.01, threads=2, keeps_course=True)).run()
    course = sample.course
    assert len(course) >= 3
    assert [stretch.end for stretch in course] == sorted(stretch.end for stretch in course)
    assert sum(stretch.seconds for stretch in course) == pytest.approx(course[-1].end)
    assert course[-1].end >= 0.8
    assert 0.8 * sample.whole.turns <= sum(stretch.turns for stretch in course) <= sample.whole.turns
    assert max(stretch.total.longest for stretch in course) <= sample.whole.total.longest


def test_a_run_whose_watcher_fails_leaves_no_thread_behind() -> None:
    def fail(_status: Status) -> None:
        raise BrokenPipeError

    run = LoadRun(StubPool(), load_of(duration=60.0))
    with pytest.raises(BrokenPipeError):
        run.run(fail)
    assert run.control.is_finished
    assert not run.busy
