"""The gates that follow every connection."""

from __future__ import annotations

from pathlib import Path

from dbtool.bench.gates.soundness import check_soundness
from dbtool.bench.reports.report import PASS, SKIPPED
from tests.bench.scenes import look_at, make_scene


def test_a_database_in_memory_is_the_profiles_and_has_no_server_to_count_at() -> None:
    scene = make_scene(Path(":memory:"))
    (carried,) = look_at(scene).carried
    gates = {finding.gate.name: finding.gate.status for finding in check_soundness(scene, carried)}
    assert gates == {"exclusivity": PASS, "capacity": PASS, "server-count": SKIPPED, "identity": PASS}
