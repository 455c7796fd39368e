"""Opening connections: beside the callers, as many as are needed, and one at a time while the server is away."""

from __future__ import annotations

import functools
import itertools
import threading
import time

import peewee
import pytest

from dbtool.errors import ConnectionFailedError
from dbtool.pool import MaxConnectionsExceeded, planning
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    Borrower,
    Call,
    DbtoolPool,
    FakeClock,
    Gate,
    StubServer,
    measure_least,
    wait_for_waiters,
    wait_until,
)


def _use(pool: DbtoolPool) -> None:
    with pool.connection_context():
        pass


class TestWithAServerThatAnswers:
    """One attempt for each caller that nothing else will serve."""

    def test_callers_do_not_wait_for_each_others_connects(self, make_pool: MakePool, server: StubServer) -> None:
        gate = Gate(server)
        pool = make_pool(max_connections=10, timeout=5)
        borrowers = [Borrower(pool) for _ in range(10)]
        gate.wait_for(10)
        gate.open()

        assert all(borrower.has_connection() for borrower in borrowers)
        assert server.opened == 10
        for borrower in borrowers:
            borrower.finish()

    def test_a_crowd_that_a_warm_pool_serves_at_once_opens_one_more_and_not_one_each(
        self, make_pool: MakePool, server: StubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Long enough for a busy machine; who goes on waiting is served after it, see below.
        monkeypatch.setattr(planning, "SPIKE", 1.0)
        pool = make_pool(max_connections=10, timeout=5)
        warm = [Borrower(pool).start() for _ in range(5)]
        for borrower in warm:
            borrower.finish()
        server.before_connect = lambda: time.sleep(0.15)

        def use_briefly() -> None:
            with pool.connection_context():
                time.sleep(0.002)

        crowd = [Call(use_briefly) for _ in range(50)]
        for call in crowd:
            call.result()

        assert server.attempts <= 6

    def test_a_crowd_that_keeps_what_it_has_is_served_at_the_same_time(
        self, make_pool: MakePool, server: StubServer
    ) -> None:
        pool = make_pool(max_connections=10, timeout=5)
        first = Borrower(pool).start()
        gate = Gate(server)
        crowd = [Borrower(pool) for _ in range(9)]
        gate.wait_for(9)
        gate.open()

        assert all(borrower.has_connection() for borrower in crowd)
        for borrower in [first, *crowd]:
            borrower.finish()

    def test_one_hung_connect_delays_only_whoever_came_last(self, make_pool: MakePool, server: StubServer) -> None:
        gate = Gate(server)
        pool = make_pool(max_connections=3, timeout=5)
        first = Borrower(pool)
        gate.wait_for(1)
        server.come_back()

        second = Borrower(pool)
        assert first.has_connection()
        third = Borrower(pool)
        assert second.has_connection()
        assert not third.has_connection(0.05)

        gate.open()
        assert third.has_connection()
        for borrower in (first, second, third):
            borrower.finish()

    def test_a_returned_connection_serves_whoever_waits_for_a_connect(
        self, make_pool: MakePool, server: StubServer
    ) -> None:
        pool = make_pool(max_connections=2, timeout=5)
        borrower = Borrower(pool).start()
        gate = Gate(server)
        call = Call(pool.connect)
        gate.wait_for(1)

        borrower.finish()

        assert call.result() is True
        assert server.opened == 1
        gate.open()

    def test_a_connect_that_comes_too_late_serves_the_next(self, make_pool: MakePool, server: StubServer) -> None:
        gate = Gate(server)
        pool = make_pool(max_connections=1, timeout=0.02)
        with pytest.raises(ConnectionFailedError, match="1 opening"):
            pool.connect()

        gate.open()

        assert wait_until(lambda: pool.stats().idle == 1)
        assert pool.connect()
        assert server.opened == 1

    def test_a_connect_that_comes_after_all_was_closed_is_closed_too(
        self, make_pool: MakePool, server: StubServer
    ) -> None:
        gate = Gate(server)
        pool = make_pool(max_connections=1, timeout=0.02)
        with pytest.raises(ConnectionFailedError):
            pool.connect()
        pool.close_all()

        gate.open()

        assert wait_until(lambda: server.opened == 1 and pool.stats().opening == 0)
        assert wait_until(lambda: not server.open)
        assert pool.stats().total == 0

    def test_a_newcomer_relies_on_a_connect_under_way_for_nobody(self, make_pool: MakePool, server: StubServer) -> None:
        gate = Gate(server)
        pool = make_pool(max_connections=4, timeout=0.02)
        with pytest.raises(ConnectionFailedError):
            pool.connect()
        call = Call(pool.connect)
        wait_for_waiters(pool, 1)
        gate.open()

        assert call.result() is True
        assert server.attempts == 1


class TestWithAServerThatIsAway:
    """One prober, with pauses."""

    def test_fails_a_caller_that_does_not_wait_with_the_drivers_error(
        self, make_pool: MakePool, server: StubServer
    ) -> None:
        pool = make_pool()
        server.go_away()

        with pytest.raises(ConnectionRefusedError):
            pool.connect()

    def test_wraps_the_drivers_error_as_peewee_does(self, make_pool: MakePool, server: StubServer) -> None:
        class OperationalError(Exception):
            """What a DB-API driver raises."""

        def fail() -> None:
            raise OperationalError("down")

        server.before_connect = fail
        pool = make_pool()

        with pytest.raises(peewee.OperationalError, match="down"):
            pool.connect()

    def test_lets_callers_wait_until_their_own_deadline(self, make_pool: MakePool, server: StubServer) -> None:
        server.go_away()
        pool = make_pool(timeout=0.2)
        call = Call(pool.connect)

        with pytest.raises(ConnectionFailedError, match="nobody listens"):
            call.result()
        assert call.seconds >= 0.2

    def test_is_asked_by_one_prober_for_all_who_wait(
        self, make_pool: MakePool, server: StubServer, clock: FakeClock
    ) -> None:
        server.go_away()
        pool = make_pool(max_connections=8, timeout=60, clock=clock)
        calls = [Call(pool.connect) for _ in range(8)]
        wait_for_waiters(pool, 8)
        assert wait_until(lambda: pool.stats().opening == 1)
        gate = Gate(server)
        gate.wait_for(1)
        time.sleep(0.1)

        assert gate.standing == 1
        gate.open()
        assert [call.result() for call in calls] == [True] * 8

    def test_is_asked_less_and_less_often_but_twice_a_second_at_least(
        self, make_pool: MakePool, server: StubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr("dbtool.pool.dialling.sleep", pauses.append)
        server.go_away()
        pool = make_pool(timeout=5)
        call = Call(pool.connect)
        assert wait_until(lambda: len(pauses) > 12)
        server.come_back()
        call.result()

        assert pauses[0] <= 0.02
        assert all(earlier < later for earlier, later in itertools.pairwise(pauses[:5]))
        assert 0.4 < max(pauses) <= 0.5
        assert len(set(pauses[6:12])) > 1, "the pauses have no jitter"

    def test_turns_a_newcomer_away_at_once_if_it_could_not_outlast_the_pause(
        self, make_pool: MakePool, server: StubServer
    ) -> None:
        server.go_away()
        pool = make_pool()
        with pytest.raises(ConnectionRefusedError):
            pool.connect()
        attempts = server.attempts

        with pytest.raises(ConnectionFailedError, match="a moment ago"):
            pool.connect()

        assert server.attempts == attempts

    @pytest.mark.timing
    def test_is_back_in_use_within_a_second(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(timeout=60)

        def measure() -> float:
            server.go_away()
            pool.close_all()
            call = Call(functools.partial(_use, pool))
            time.sleep(0.7)
            server.come_back()
            returned = time.monotonic()
            call.result()
            return time.monotonic() - returned

        assert measure_least(measure, enough=1) < 1

    def test_still_hands_out_what_comes_back(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=2, timeout=5)
        borrower = Borrower(pool).start()
        server.go_away()
        call = Call(pool.connect)
        assert wait_until(lambda: pool.stats().failures)

        borrower.finish()

        assert call.result() is True

    def test_is_not_asked_for_nobody(self, make_pool: MakePool, server: StubServer) -> None:
        server.go_away()
        pool = make_pool(timeout=0.01)
        with pytest.raises(ConnectionFailedError):
            pool.connect()
        assert wait_until(lambda: pool.stats().opening == 0)
        attempts = server.attempts
        time.sleep(0.1)

        assert server.attempts == attempts

    def test_is_asked_again_though_the_prober_hangs(self, make_pool: MakePool, server: StubServer) -> None:
        server.go_away()
        pool = make_pool(max_connections=3, timeout=10)
        call = Call(pool.connect)
        assert wait_until(lambda: pool.stats().failures)
        gate = Gate(server)
        gate.wait_for(1)
        server.come_back()

        assert call.result(8) is True
        gate.open()

    def test_is_not_beset_by_a_prober_after_the_other_while_all_hang(
        self, make_pool: MakePool, server: StubServer, clock: FakeClock
    ) -> None:
        server.go_away()
        pool = make_pool(max_connections=None, timeout=1e6, clock=clock)
        call = Call(pool.connect)
        assert wait_until(lambda: pool.stats().failures)
        gate = Gate(server)
        gate.wait_for(1)
        for _ in range(40):
            clock.advance(0.25)
            pool._pool.sweep()

        assert 2 <= pool.stats().opening <= 7
        gate.open()
        assert call.result() is True

    def test_keeps_no_caller_beyond_its_deadline_though_no_helper_can_be_had(
        self, make_pool: MakePool, server: StubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class NoThread(threading.Thread):
            def start(self) -> None:
                raise RuntimeError("can't start new thread")

        pool = make_pool(timeout=0.1)
        server.go_away()
        call = Call(pool.connect, begins=False)
        with monkeypatch.context() as patch:
            patch.setattr("dbtool.pool.lease.Thread", NoThread)
            call.begin()
            is_done = call.is_done(2)

        server.come_back()
        assert is_done
        with pytest.raises(ConnectionFailedError):
            call.result()


class TestWithAnErrorThatWaitingCannotMend:
    """A wrong password, an unknown database, a mistake in the set-up."""

    def test_every_caller_is_told_at_once(self, make_pool: MakePool, server: StubServer) -> None:
        def refuse() -> None:
            raise LookupError("no such database")

        server.before_connect = refuse
        pool = make_pool(timeout=5)
        calls = [Call(pool.connect) for _ in range(3)]

        for call in calls:
            with pytest.raises(LookupError, match="no such database"):
                call.result(4)

    def test_the_next_caller_tries_again(self, make_pool: MakePool, server: StubServer) -> None:
        def refuse() -> None:
            raise LookupError("no such database")

        server.before_connect = refuse
        pool = make_pool()
        with pytest.raises(LookupError):
            pool.connect()
        server.come_back()

        assert pool.connect()

    def test_is_not_provoked_again_to_keep_connections_warm(self, make_pool: MakePool, server: StubServer) -> None:
        def refuse() -> None:
            raise LookupError("wrong password")

        pool = make_pool(min_idle=1, timeout=5)
        pool.connect()
        assert wait_until(lambda: pool.stats().idle == 1)
        server.before_connect = refuse
        pool.close_idle()
        assert wait_until(lambda: pool.stats().failures and not pool.stats().opening)
        attempts = server.attempts
        pool._pool.sweep()
        time.sleep(0.1)

        assert server.attempts == attempts

    def test_a_failing_set_up_closes_its_connection(self, make_pool: MakePool, server: StubServer) -> None:
        def set_up(_connection: object) -> None:
            raise LookupError("no such role")

        pool = make_pool(timeout=5, max_connections=1, on_connect=set_up)
        for _ in range(2):
            with pytest.raises(LookupError, match="no such role"):
                pool.connect()

        assert server.opened == 2
        assert not server.open


def test_a_place_is_free_again_after_a_failed_connect(make_pool: MakePool, server: StubServer) -> None:
    pool = make_pool(max_connections=1, timeout=0.01)
    server.go_away()
    for _ in range(3):
        with pytest.raises(ConnectionFailedError):
            pool.connect()
    server.come_back()
    assert wait_until(lambda: pool.stats().opening == 0)

    assert pool.connect()


def test_a_full_pool_is_full_though_the_server_is_away(make_pool: MakePool, server: StubServer) -> None:
    pool = make_pool(max_connections=1, timeout=0.01)
    borrower = Borrower(pool).start()
    server.go_away()

    with pytest.raises(MaxConnectionsExceeded):
        pool.connect()
    borrower.finish()


def test_a_caller_without_deadline_opens_the_first_connection_itself(make_pool: MakePool, server: StubServer) -> None:
    threads: list[str] = []
    server.before_connect = lambda: threads.append(threading.current_thread().name)
    pool = make_pool(timeout=0)
    pool.connect()

    assert threads == [threading.current_thread().name]


def test_a_pool_whose_places_are_all_taken_by_connects_is_full(make_pool: MakePool, server: StubServer) -> None:
    gate = Gate(server)
    pool = make_pool(max_connections=1)
    first = Call(pool.connect)
    gate.wait_for(1)

    with pytest.raises(MaxConnectionsExceeded):
        pool.connect()
    gate.open()
    assert first.result() is True


def test_a_pool_with_room_is_not_called_full_though_others_have_connections(
    make_pool: MakePool, server: StubServer
) -> None:
    pool = make_pool(max_connections=2, timeout=0.02)
    borrower = Borrower(pool).start()
    gate = Gate(server)

    with pytest.raises(ConnectionFailedError, match="does not answer"):
        pool.connect()
    gate.open()
    borrower.finish()
