"""A test of time gets more than one try, and fails if it fails each time."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_CONFTEST = """
import pytest
from tests.retrying import list_retried, run_in_tries

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    run_in_tries(item, nextitem)
    return True

def pytest_terminal_summary(terminalreporter):
    list_retried(terminalreporter)
"""
_TESTS = """
import itertools, pytest
numbers = itertools.count(1)

@pytest.fixture
def number():
    yield next(numbers)

@pytest.mark.parametrize("good", [{good}])
def test_it(number, good):
    assert number in good

def test_another(number):
    pass
"""


@pytest.mark.parametrize(
    ("good", "outcomes", "told", "workers"),
    [
        ("{1}", {"passed": 2}, "", "0"),
        ("{3}", {"passed": 2}, "RETRIED *test_it* - passed at try 3*", "0"),
        ("{3}", {"passed": 2}, "RETRIED *test_it* - passed at try 3*", "1"),
        ("{4}", {"passed": 1, "failed": 1}, "", "0"),
    ],
)
def test_a_test_of_time(
    good: str, outcomes: dict[str, int], told: str, workers: str, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(_TESTS.replace("{good}", good))
    run = pytester.runpytest_inprocess("-p", "no:randomly", "-n", workers)
    run.assert_outcomes(**outcomes)
    if told:
        run.stdout.fnmatch_lines([told])
    else:
        run.stdout.no_fnmatch_line("RETRIED*")
