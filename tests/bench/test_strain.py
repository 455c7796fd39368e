"""How the machine stood a load, and what makes its figures doubtful."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from dbtool.bench.load import strain as strain_module
from dbtool.bench.load.strain import StrainMeter, Ticks, find_share, read_load_average, read_ticks
from dbtool.bench.measures.harness import list_doubts
from dbtool.bench.reports.report import Harness, Measures


def test_the_time_that_the_host_took_is_read_from_the_kernels_first_line(tmp_path: Path) -> None:
    counters = tmp_path / "stat"
    counters.write_text("cpu  100 0 50 800 10 0 0 40 999 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    before = read_ticks(counters)
    assert before == Ticks(idle=810, steal=40, whole=1000)
    counters.write_text("cpu  150 0 50 835 15 0 0 50 5000 0\n")
    after = read_ticks(counters)
    assert find_share("steal", before, after) == pytest.approx(0.1)
    assert find_share("idle", before, after) == pytest.approx(0.4)


@pytest.mark.parametrize("text", ["", "cpu 1 2 3\n", "cpu a b c d e f g h\n"])
def test_a_platform_that_does_not_tell_is_left_alone(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = tmp_path / "stat"
    counters.write_text(text)
    assert read_ticks(counters) is None
    assert read_ticks(tmp_path / "none") is None
    some = Ticks(idle=1, steal=1, whole=2)
    assert find_share("idle", None, some) is None
    assert find_share("idle", some, some) is None
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert read_load_average() is None
    monkeypatch.setattr(sys, "platform", "win32")
    assert strain_module.StrainMeter().read().voluntary is None


def test_a_thread_that_waits_gives_its_processor_up() -> None:
    meter = StrainMeter()
    for _ in range(50):
        time.sleep(0.001)
    strain = meter.read()
    assert strain.voluntary is not None
    assert strain.involuntary is not None
    assert strain.voluntary * 0.05 > 1
    assert strain.cpu_share < 1.5


def _doubt(**harness: float) -> tuple[str, ...]:
    return list_doubts(Measures(throughput=1000.0, harness=Harness(**harness)))


def test_a_machine_that_was_busy_before_or_that_loses_its_time_is_doubtful() -> None:
    cores = os.cpu_count() or 1
    assert _doubt(load_average=0.4 * cores, steal=0.01, involuntary_switches=9.0) == ()
    assert _doubt() == ()
    (busy,) = _doubt(load_average=0.6 * cores)
    assert busy.startswith("others kept this machine busy: its load average was ")
    (stolen,) = _doubt(steal=0.034)
    assert stolen == "this machine's host gave 3.4% of its time to others"
    (switched,) = _doubt(involuntary_switches=50.0)
    assert switched == (
        "threads had to give up their processor 50 times a second, once in 20 requests: "
        "the high percentiles are this machine's as well"
    )
