"""The JSON that scripts rely on, key by key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import PHASES, Latency
from tests.bench.reports import GOLDEN, REPORT, count, write


def _unpack(text: str) -> dict[str, Any]:
    """Return the JSON with the buckets instead of the packed histograms, whose bytes depend on the release of zlib."""
    data: dict[str, Any] = json.loads(text)
    packed = data["histograms"]
    data["histograms"] = {name: list(Histogram.decode(packed[name]).buckets()) for name in packed}
    return data


def test_the_json_of_a_report_is_as_the_golden_file_says() -> None:
    golden, written = _unpack(GOLDEN.read_text(encoding="utf-8")), _unpack(write())
    assert json.dumps(written, indent=1) == json.dumps(golden, indent=1)


def test_the_json_has_the_keys_that_are_promised() -> None:
    data = REPORT.to_json()
    assert data["schema"] == 2
    assert data.keys() >= {"pool", "profile", "verdict", "environment", "load", "gates", "measures", "bleed"}
    assert data.keys() >= {"histograms", "sweep", "recommendation", "chaos"}
    assert data["load"].keys() >= {"model", "threads", "processes", "hold", "think", "rate", "duration", "client_bound"}
    assert data["measures"].keys() >= {"throughput", "requests", "failures", "reuse_ratio", "round_trips", *PHASES}
    assert data["measures"]["acquire"].keys() == {"count", "mean", "p50", "p90", "p99", "p999", "max"}
    assert data["measures"]["fairness"].keys() >= {"jain", "min_turns", "max_turns", "starved"}
    assert data["measures"]["storm"].keys() >= {"fill", "single_connect", "serialisation"}
    assert data["measures"]["timeout"].keys() >= {"configured", "overrun_p99"}


def test_a_latency_sums_its_histogram_up() -> None:
    latency = Latency.of(count(*(step / 1000 for step in range(1, 1001))))
    assert (latency.count, latency.max) == (1000, 1.0)
    assert latency.mean == pytest.approx(0.5005)
    found = [latency.p50, latency.p90, latency.p99, latency.p999]
    assert found == pytest.approx([0.5, 0.9, 0.99, 0.999], rel=0.008)
