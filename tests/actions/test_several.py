"""Places among those at work."""

import threading

from dbtool.actions.several import CONNECTING_HOLDS, Outcome, Slots


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def yes() -> bool:
    return True


def test_who_waits_for_its_server_holds_no_place_for_long() -> None:
    clock = Clock()
    slots = Slots(1, clock=clock)
    hung, quick = Outcome("hung"), Outcome("quick")
    answers, entered = threading.Event(), threading.Event()

    def connect() -> None:
        slots.enter(hung, yes)
        with slots.connecting(hung):
            entered.set()
            answers.wait(10)
        slots.leave(hung)

    thread = threading.Thread(target=connect)
    thread.start()
    entered.wait(10)
    looks = iter([True, True, False])
    assert not slots.enter(quick, lambda: next(looks)), "it has not been long"
    clock.now = CONNECTING_HOLDS
    assert slots.enter(quick, yes)
    answers.set()
    thread.join(0.2)
    assert thread.is_alive(), "its place is taken"
    slots.leave(quick)
    thread.join(10)
    assert not thread.is_alive()


def test_where_writes_follow_each_other_a_place_is_kept() -> None:
    clock = Clock()
    slots = Slots(1, lends=False, clock=clock)
    first = Outcome("first")
    slots.enter(first, yes)
    with slots.connecting(first):
        clock.now = 100
        looks = iter([True, True, False])
        assert not slots.enter(Outcome("second"), lambda: next(looks))


def test_a_connection_that_fails_gives_the_place_back_once() -> None:
    slots = Slots(1)
    failed, other, third = Outcome("failed"), Outcome("other"), Outcome("third")
    slots.enter(failed, yes)
    try:
        with slots.connecting(failed):
            raise OSError
    except OSError:
        slots.leave(failed)
    assert slots.enter(other, yes)
    looks = iter([True, False])
    assert not slots.enter(third, lambda: next(looks))
