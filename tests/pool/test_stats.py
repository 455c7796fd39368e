"""What a pool tells about itself."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from dbtool.pool import PoolStats
from tests.pool.conftest import MakePool
from tests.pool.stub import Borrower, Call, StubServer, wait_for_waiters


class Recorder:
    """Writes down every event."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def connecting(self) -> None:
        self.events.append("connecting")

    def connected(self, seconds: float) -> None:
        self.events.append("connected")

    def connect_failed(self, error: BaseException) -> None:
        self.events.append(f"connect_failed {type(error).__name__}")

    def checked_out(self, waited: float) -> None:
        self.events.append("checked_out")

    def checked_in(self, held: float) -> None:
        self.events.append("checked_in")

    def discarded(self, reason: str) -> None:
        self.events.append(f"discarded {reason}")

    def timed_out(self, waited: float) -> None:
        self.events.append("timed_out")


def test_counts_what_was_made_and_used_again(make_pool: MakePool) -> None:
    pool = make_pool()
    for _ in range(3):
        with pool.connection_context():
            pass

    stats = pool.stats()
    assert (stats.created, stats.reused, stats.idle, stats.in_use, stats.total) == (1, 2, 1, 0, 1)


def test_counts_what_went_from_hand_to_hand(make_pool: MakePool) -> None:
    pool = make_pool(max_connections=1, timeout=5)
    first = Borrower(pool).start()
    second = Borrower(pool)
    wait_for_waiters(pool, 1)
    waiting = pool.stats()
    first.finish()
    second.finish()

    stats = pool.stats()
    assert (waiting.in_use, waiting.waiting) == (1, 1)
    assert (stats.created, stats.reused, stats.waits) == (1, 1, 2)
    assert stats.wait_time > 0


@pytest.mark.parametrize("timeout", [None, 5])
def test_counts_no_dead_connection_as_used_again(make_pool: MakePool, timeout: float | None) -> None:
    pool = make_pool(max_connections=2, timeout=timeout)
    borrowers = [Borrower(pool).start() for _ in range(2)]
    for borrower in borrowers:
        borrower.finish()
    borrowers[1].connection.is_dead = True
    for _ in range(2):
        with pool.connection_context():
            pass

    stats = pool.stats()
    assert (stats.created, stats.reused, stats.validated) == (2, 2, 1)


def test_knows_nothing_of_a_connection_opened_beside_it(make_pool: MakePool) -> None:
    pool = make_pool(max_connections=1)
    connections = [pool.open_unpooled() for _ in range(2)]

    assert pool.stats().total == 0
    assert connections[0] is not connections[1]


def test_cannot_be_changed(make_pool: MakePool) -> None:
    stats = make_pool().stats()

    assert isinstance(stats, PoolStats)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.created = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        stats.discarded["age"] = 5  # type: ignore[index]


def test_events_come_in_order(make_pool: MakePool, server: StubServer) -> None:
    recorder = Recorder()
    pool = make_pool(max_connections=1, timeout=0.01, events=recorder)
    pool.connect()
    with pytest.raises(ValueError, match="in use"):
        Call(pool.connect).result()
    pool.close()
    pool.close_idle()
    server.go_away()
    with pytest.raises(Exception, match="nobody listens"):
        pool.connect()

    assert recorder.events[:8] == [
        "connecting",
        "connected",
        "checked_out",
        "timed_out",
        "checked_in",
        "discarded closed",
        "connecting",
        "connect_failed ConnectionRefusedError",
    ]


def test_a_handler_that_fails_costs_nobody_a_connection(make_pool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        def checked_out(self, waited: float) -> None:
            raise LookupError("a bug of the user's")

    pool = make_pool(events=Failing())
    with caplog.at_level(logging.ERROR), pool.connection_context():
        assert pool.stats().in_use == 1

    assert "a handler of pool events failed" in caplog.text
    assert pool.stats().idle == 1
