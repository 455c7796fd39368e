"""Work in processes apart: what they do adds up, and they end when they have to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dbtool.bench import processes
from dbtool.bench.load.plan import Status
from dbtool.bench.messages import Parent
from dbtool.bench.processes import ChildError, call_in_child, run_load_in_processes
from dbtool.bench.trials.scene import Scene, Stop
from dbtool.errors import InterruptedByUserError, UsageError
from tests.bench.scenes import CHECKOUT, make_order, make_scene, own, run_order
from tests.servers.processes import wait_until


def return_pid(scene: Scene, _parent: Parent) -> tuple[int, str]:
    """Say which process this is, and what it prints meanwhile."""
    print("this must not get among the messages")  # noqa: T201
    return os.getpid(), scene.subject.name


def fail(_scene: Scene, _parent: Parent) -> None:
    """Fail."""
    raise ValueError("no\nresult")


def die(_scene: Scene, _parent: Parent) -> None:
    """End as a crash does."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(_scene: Scene, _parent: Parent) -> None:
    """Do not end, and have a forked child that does not end either."""
    os.fork()
    time.sleep(120)


@pytest.fixture
def scene(sqlite_database: Path) -> Scene:
    return make_scene(sqlite_database)


def _end_soon(stop: Stop) -> threading.Timer:
    timer = threading.Timer(0.7, stop.set, [InterruptedByUserError("stopped by SIGINT", signal_number=2)])
    timer.start()
    return timer


def test_a_function_is_called_with_the_same_scene_in_another_process(scene: Scene) -> None:
    pid, subject = call_in_child(return_pid, scene.plan(), timeout=60, stop=scene.stop)
    assert pid != os.getpid()
    assert subject == "dbtool"
    assert not _list_bench_processes()


@pytest.mark.parametrize(
    ("function", "reason"),
    [(fail, "ValueError: no result"), (die, "a process of the bench ended without an answer (status -9)")],
)
def test_a_process_that_fails_says_why(function: object, reason: str, scene: Scene) -> None:
    with pytest.raises(ChildError) as caught:
        call_in_child(function, scene.plan(), timeout=60, stop=scene.stop)  # type: ignore[arg-type,unused-ignore]
    assert str(caught.value) == reason


@pytest.mark.timing
def test_a_process_that_takes_too_long_is_ended_with_what_it_has_forked(scene: Scene) -> None:
    started = time.monotonic()
    with pytest.raises(ChildError, match="no answer in time"):
        call_in_child(hang, scene.plan(), timeout=1.0, stop=scene.stop)
    # It would wait for the two minutes of what was forked, which has its pipe as well.
    assert time.monotonic() - started < 60
    assert wait_until(lambda: not _list_bench_processes(), seconds=10), _list_bench_processes()


def _list_bench_processes() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if b"dbtool.bench.child" in command and state[0] != "Z" and _is_ours(entry):
            found.append(int(entry.name))
    return found


def _is_ours(entry: Path) -> bool:
    """Say whether a process inherited the mark that only this run's processes have."""
    try:
        return _MARK.encode() in (entry / "environ").read_bytes()
    except OSError:
        return False


_MARK = f"DBTOOL_BENCH_TESTS_{os.getpid()}"


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the processes of these tests known from those of other runs."""
    monkeypatch.setenv(_MARK, "1")


@pytest.mark.timing
def test_the_end_of_the_bench_ends_a_process_that_hangs(scene: Scene) -> None:
    timer = _end_soon(scene.stop)
    started = time.monotonic()
    with pytest.raises(InterruptedByUserError):
        call_in_child(hang, scene.plan(), timeout=120, stop=scene.stop)
    assert time.monotonic() - started < 30
    timer.join()
    assert wait_until(lambda: not _list_bench_processes(), seconds=10)


def test_processes_load_at_the_same_time_with_a_pool_and_a_seed_each(sqlite_database: Path) -> None:
    told: list[Status] = []
    scene = make_scene(sqlite_database, watch=lambda _phase, status: told.append(status))
    carried = run_load_in_processes(scene, scene.load.replaced(duration=0.5, threads=3), 2, "load")
    samples = [each.sample for each in carried]
    assert [len(sample.turns) for sample in samples] == [3, 3]
    assert all(sample.whole.turns > 20 for sample in samples)
    assert all(sample.connects is not None and sample.connects.count >= 1 for sample in samples)
    assert all(each.evidence.after_load is not None for each in carried)
    # What the one who watches is told is the sum of both.
    assert max(status.throughput for status in told) > 1.2 * max(instant.throughput for instant in samples[0].series)
    assert not _list_bench_processes()


@pytest.mark.slow
def test_what_the_processes_did_adds_up_in_the_report(sqlite_database: Path) -> None:
    order = make_order(sqlite_database, "none")
    (report,) = run_order(order.replaced(processes=2, load=order.load.replaced(duration=0.5)))
    assert (report.load.processes, report.load.threads, report.load.connections) == (2, 4, 4)
    assert report.measures.throughput == pytest.approx(report.measures.requests / report.load.duration, rel=0.01)
    assert 0.4 < report.load.duration < 2
    assert report.measures.fairness.min_turns > 0


@pytest.mark.timing
def test_the_end_of_the_bench_ends_the_processes_of_a_load(scene: Scene) -> None:
    ended = InterruptedByUserError("stopped by SIGINT", signal_number=2)
    watching = scene.replaced(watch=lambda _phase, _status: scene.stop.set(ended))
    started = time.monotonic()
    carried = run_load_in_processes(watching, scene.load.replaced(duration=60.0), 2, "load")
    # What they have seen until then is kept.
    assert [each.sample.whole.turns > 0 for each in carried] == [True, True]
    assert time.monotonic() - started < 30
    assert not _list_bench_processes()


@pytest.mark.slow
def test_a_process_that_dies_under_load_ends_the_load_with_an_error(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def watch(_phase: str, _status: Status) -> None:
        if not killed:
            killed.append(_list_bench_processes()[0])
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(ChildError, match=r"without an answer \(status -9\)"):
        run_load_in_processes(scene.replaced(watch=watch), scene.load.replaced(duration=60.0), 2, "load")
    assert not _list_bench_processes()


def test_a_pool_that_cannot_be_made_there_is_an_error(sqlite_database: Path) -> None:
    scene = make_scene(sqlite_database, own("FailsInConstruction"))
    with pytest.raises(
        UsageError, match=r"^--pool tests.bench.broken:FailsInConstruction made no pool: .* no pool today$"
    ):
        run_load_in_processes(scene, scene.load, 1, "load")


@pytest.mark.slow
def test_a_process_ends_when_its_parent_has_died(tmp_path: Path, sqlite_database: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "from pathlib import Path\n"
        "from tests.bench.scenes import make_scene\n"
        "from dbtool.bench.processes import run_load_in_processes\n"
        f"scene = make_scene(Path({str(sqlite_database)!r}), watch=lambda *_: print('loaded', flush=True))\n"
        "run_load_in_processes(scene, scene.load.replaced(duration=60.0), 2, 'load')\n"
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, cwd=CHECKOUT)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"loaded\n"
        assert len(_list_bench_processes()) == 2
    finally:
        parent.kill()
        parent.communicate()
    assert wait_until(lambda: not _list_bench_processes(), seconds=20)


def test_time_is_up_for_a_process_at_its_deadline(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_START_PATIENCE", -1.0)
    with pytest.raises(ChildError, match="no answer in time"):
        run_load_in_processes(scene, scene.load, 1, "load")
