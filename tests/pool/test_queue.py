"""The queue of those who wait."""

from __future__ import annotations

from dbtool.pool.drivers import UNKNOWN
from dbtool.pool.lease import Lease
from dbtool.pool.queue import Waiter, WaitingQueue


def test_the_first_in_is_the_first_out() -> None:
    queue, waiters = WaitingQueue(), [Waiter(number) for number in range(3)]
    for waiter in waiters:
        queue.push(waiter)

    assert [queue.pop_first() for _ in waiters] == waiters


def test_one_can_go_back_to_the_head() -> None:
    queue, first, second = WaitingQueue(), Waiter(1), Waiter(2)
    queue.push(first)
    queue.push_first(second)

    assert queue.pop_first() is second


def test_one_can_leave_once() -> None:
    queue, first, second = WaitingQueue(), Waiter(1), Waiter(2)
    queue.push(first)
    queue.push(second)

    assert [queue.withdraw(first), queue.withdraw(first)] == [True, False]
    assert queue.pop_first() is second


def test_a_waiter_wakes_with_what_it_was_granted() -> None:
    waiter, lease = Waiter(1), Lease(object(), UNKNOWN, epoch=0, generation=0)
    waiter.grant(lease, is_checked=True)

    assert waiter.wait(0)
    assert waiter.lease is lease


def test_a_waiter_that_nobody_serves_stops_waiting() -> None:
    assert not Waiter(1).wait(0.001)
