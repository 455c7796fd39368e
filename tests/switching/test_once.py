"""Values made once, with no lock held."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbtool.switching.once import Once


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
