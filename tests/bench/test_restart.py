"""The command that restarts a profile's server: what it leaves running, and when it is ended itself."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dbtool.bench.faults import chaos
from dbtool.bench.faults.chaos import FaultPlan, require_faults, run_fault
from dbtool.bench.trials.scene import Scene, Stop
from dbtool.errors import InterruptedByUserError, UsageError
from dbtool.profiles.model import Origin, Scope
from tests.bench.scenes import make_scene
from tests.servers.processes import wait_until


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads that last no longer than the tests need."""
    monkeypatch.setattr(chaos, "_BEFORE", 0.05)
    monkeypatch.setattr(chaos, "_AFTER", 0.1)


def _scene(database: Path, script: str, **changes: Any) -> Scene:
    scene = make_scene(database, load={"threads": 2}, **changes)
    return scene.replaced(target=scene.target.replaced(restart=("sh", "-c", script)))


def _runs(file: Path) -> bool:
    try:
        os.kill(int(file.read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


@pytest.mark.timing
def test_the_server_that_it_starts_may_keep_its_streams(sqlite_database: Path, tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path / 'server'}"
    started = time.monotonic()
    try:
        assert run_fault(_scene(sqlite_database, script), FaultPlan(name="restart")).detail == "sh restarted the server"
        assert time.monotonic() - started < 10
    finally:
        os.kill(int((tmp_path / "server").read_text()), 9)


def test_it_does_not_outlive_a_bench_that_is_stopped(sqlite_database: Path, tmp_path: Path) -> None:
    pid = tmp_path / "command"
    stop = Stop()

    def end() -> None:
        wait_until(lambda: _runs(pid), seconds=10)
        stop.set(InterruptedByUserError("stopped", signal_number=15))

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(InterruptedByUserError):
        run_fault(_scene(sqlite_database, f"echo $$ > {pid}; exec sleep 60", stop=stop), FaultPlan(name="restart"))
    ending.join()
    assert not _runs(pid)


@pytest.mark.timing
def test_it_has_its_time_and_no_more(sqlite_database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "_RESTART_PATIENCE", 0.2)
    with pytest.raises(UsageError, match=r"^--chaos restart: it took longer than 0.2 seconds$"):
        run_fault(_scene(sqlite_database, "exec sleep 60"), FaultPlan(name="restart"))


def test_it_runs_where_the_profiles_file_is_which_trust_covers(
    sqlite_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, status in (("theirs", 1), ("here", 0)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "restart.sh").write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / place / "restart.sh").chmod(0o755)
    monkeypatch.chdir(tmp_path / "theirs")
    scene = make_scene(sqlite_database, load={"threads": 2})
    origin = Origin(tmp_path / "here" / "dbtool.toml", 1, Scope.PROJECT)
    scene = scene.replaced(target=scene.target.replaced(restart=("./restart.sh",), origin=origin))
    require_faults(scene, (FaultPlan(name="restart"),))
    assert run_fault(scene, FaultPlan(name="restart")).detail.startswith("./restart.sh restarted the server")


def test_one_that_is_not_there_is_refused_before_anything_runs(sqlite_database: Path) -> None:
    scene = make_scene(sqlite_database)
    missing = scene.target.replaced(restart=("no-such-command-of-a-test", "now"))
    with pytest.raises(UsageError, match=r"^--chaos restart: there is no command no-such-command-of-a-test$"):
        require_faults(scene.replaced(target=missing), (FaultPlan(name="restart"),))
