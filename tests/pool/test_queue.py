"""The queue of those who wait."""

from __future__ import annotations

from dbtool.pool.drivers import UNKNOWN
from dbtool.pool.lease import Borrower, Lease
from dbtool.pool.queue import Waiter, WaitingQueue


def _make_waiter() -> Waiter:
    return Waiter(Borrower(1))


def test_the_first_in_is_the_first_out() -> None:
    queue, waiters = WaitingQueue(), [_make_waiter() for _ in range(3)]
    for waiter in waiters:
        queue.push(waiter)

    assert list(queue) == waiters
    assert queue.find_first() is waiters[0]


def test_one_can_go_back_to_the_head() -> None:
    queue, first, second = WaitingQueue(), _make_waiter(), Waiter(Borrower(1), has_turn=True)
    queue.push(first)
    queue.push(second)

    assert queue.find_first() is second


def test_one_can_leave_once() -> None:
    queue, first, second = WaitingQueue(), _make_waiter(), _make_waiter()
    queue.push(first)
    queue.push(second)

    assert [queue.withdraw(first), queue.withdraw(first)] == [True, False]
    assert queue.find_first() is second


def test_a_waiter_wakes_with_what_it_was_granted() -> None:
    queue, waiter, lease = WaitingQueue(), _make_waiter(), Lease(object(), UNKNOWN, epoch=0, generation=0)
    queue.push(waiter)
    queue.grant(waiter, lease, 7.0, is_checked=True)

    assert waiter.wait(0)
    assert (waiter.lease, waiter.is_checked, waiter in queue) == (lease, True, False)
    assert (lease.holder, lease.taken_at) == (waiter.borrower, 7.0)


def test_a_waiter_wakes_with_the_error_that_it_was_rejected_with() -> None:
    queue, waiter, error = WaitingQueue(), _make_waiter(), ConnectionError("gone")
    queue.push(waiter)
    queue.reject(waiter, error)

    assert waiter.wait(0)
    assert (waiter.error, waiter in queue) == (error, False)


def test_a_waiter_that_nobody_serves_stops_waiting() -> None:
    assert not _make_waiter().wait(0.001)
