"""Values made once, with no lock held."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import dbtool.switching
from dbtool.switching.once import Once
from tests.pool.children import fork, wait_for_child
from tests.pool.interrupting import Interrupter, interrupting, rehearse
from tests.pool.stub import Call


def test_others_wait_for_the_first() -> None:
    made: Once[str, object] = Once()
    begun, go_on = threading.Event(), threading.Event()

    def make_slowly() -> object:
        begun.set()
        assert go_on.wait(30)
        return object()

    with ThreadPoolExecutor(2) as executor:
        first = executor.submit(made.get, "a", make_slowly)
        assert begun.wait(30)
        second = executor.submit(made.get, "a", object)
        assert made.get("b", str) == ""
        assert made.list_made() == [""]
        go_on.set()
        assert first.result(30) is second.result(30)


def test_a_failure_goes_to_who_asked_and_is_tried_again() -> None:
    made: Once[str, int] = Once()

    def fail() -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        made.get("a", fail)

    assert made.list_made() == []
    assert made.get("a", lambda: 1) == 1
    assert made.get("a", fail) == 1


def test_no_moment_of_an_interrupt_leaves_others_waiting() -> None:
    moment, interrupted = 0, True
    while interrupted:
        moment += 1
        made: Once[str, int] = Once()
        rehearse(dbtool.switching, lambda: Once[str, int]().get("a", lambda: 1))
        interrupter = Interrupter(dbtool.switching, moment)
        with interrupting(interrupter):
            made.get("a", lambda: 1)
        interrupted = bool(interrupter.place)
        assert Call(partial(made.get, "a", lambda: 2)).result(10) in {1, 2}, interrupter.place
    assert moment > 3


def test_an_interrupt_concerns_its_own_thread_alone() -> None:
    made: Once[str, int] = Once()
    begun, go_on = threading.Event(), threading.Event()

    def be_interrupted() -> int:
        begun.set()
        assert go_on.wait(30)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as executor:
        first = executor.submit(made.get, "a", be_interrupted)
        assert begun.wait(30)
        second = executor.submit(made.get, "a", lambda: 1)
        go_on.set()
        assert isinstance(first.exception(30), KeyboardInterrupt)
        assert second.result(30) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_child_waits_for_nothing_that_only_its_parent_makes() -> None:
    made: Once[str, int] = Once()
    begun, go_on = threading.Event(), threading.Event()

    def make_slowly() -> int:
        begun.set()
        assert go_on.wait(30)
        return 1

    assert made.get("b", lambda: 5) == 5
    with ThreadPoolExecutor(1) as executor:
        first = executor.submit(made.get, "a", make_slowly)
        assert begun.wait(30)
        child = fork(lambda: (made.get("a", lambda: 2), made.get("b", lambda: 6)) == (2, 5))
        try:
            assert wait_for_child(child) == 0
        finally:
            go_on.set()
        assert first.result(30) == 1
