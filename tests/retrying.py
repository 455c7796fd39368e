"""Another try, in a calmer moment, for a test of time that failed: a busy machine is no fault of what is tested.

What fails for a reason fails every time. Those that needed another try are listed at the end of the run.
"""

from __future__ import annotations

import time

import pytest
from _pytest.runner import runtestprotocol
from _pytest.terminal import TerminalReporter

_TRIES = 3
_PATIENCE = 20.0
"""Seconds to wait for a calm moment at most."""
_NAP = 0.002
_LATE = 0.005
"""Seconds by which a busy machine wakes a sleeper too late."""
_CALM_NAPS = 50
_PROPERTY = "tries"


def run_in_tries(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Run a test, and again if it has failed, each time with fixtures of its own; the last try is what counts."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for number in range(1, _TRIES + 1):
        if number > 1:
            wait_for_calm()
            item._initrequest()  # type: ignore[attr-defined]  # of every kind of item that has fixtures
            item.user_properties[:] = [(_PROPERTY, number)]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.when == "call" and report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def list_retried(reporter: TerminalReporter) -> None:
    """Name the tests that passed, and not the first time."""
    for report in reporter.stats.get("passed", []):
        tries = dict(report.user_properties).get(_PROPERTY)
        if report.when == "call" and tries:
            reporter.write_line(f"RETRIED {report.nodeid} - passed at try {tries}: was the machine busy?")


def wait_for_calm() -> None:
    deadline = time.monotonic() + _PATIENCE
    calm = 0
    while calm < _CALM_NAPS and time.monotonic() < deadline:
        began = time.monotonic()
        time.sleep(_NAP)
        calm = calm + 1 if time.monotonic() - began < _NAP + _LATE else 0
