"""Threads, tasks and forked processes: each has what is its own."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import time
from collections.abc import Generator
from typing import Any

import peewee
import pytest

from dbtool.errors import ConnectionFailedError
from dbtool.pool import PoolTimeout
from dbtool.pool.lease import Borrower as BorrowerIdentity
from tests.pool.children import fork, wait_for_child
from tests.pool.conftest import MakePool
from tests.pool.stub import (
    PATIENCE,
    Borrower,
    Call,
    DbtoolPool,
    Gate,
    StubServer,
    take_connection,
    wait_for_waiters,
    wait_until,
)


class TestThreads:
    """A connection belongs to the thread that checked it out."""

    def test_each_have_their_own(self, make_pool: MakePool) -> None:
        pool = make_pool()
        borrower = Borrower(pool).start()

        assert pool.is_closed()
        assert take_connection(pool) is not borrower.connection
        borrower.finish()

    def test_share_one_if_the_database_is_not_thread_safe(self, make_pool: MakePool) -> None:
        pool = make_pool(thread_safe=False)
        connection = take_connection(pool)

        assert Call(pool.connection).result() is connection

    def test_share_nothing_for_a_state_of_the_programs_own_kind(self, make_pool: MakePool) -> None:
        class OwnState(peewee._ConnectionState):
            """As a program keeps it per context, say."""

        pool: Any = make_pool()
        pool._state = OwnState()
        pool.connect()

        assert Call(pool.is_closed).result() is True


class TestTasks:
    """Inside an event loop a connection belongs to the task."""

    def test_each_have_their_own(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=2)

        async def main() -> set[Any]:
            both = asyncio.Barrier(2)

            async def borrow() -> Any:
                with pool.connection_context() as connection:
                    await both.wait()
                    assert pool.connection() is connection
                    return connection

            return set(await asyncio.gather(borrow(), borrow()))

        assert len(asyncio.run(main())) == 2

    def test_do_not_share_what_the_thread_had(self, make_pool: MakePool) -> None:
        pool = make_pool()
        before = take_connection(pool)

        async def main() -> Any:
            assert pool.is_closed()
            return take_connection(pool)

        assert asyncio.run(main()) is not before
        assert pool.connection() is before

    def test_do_not_share_what_their_parent_has(self, make_pool: MakePool) -> None:
        pool = make_pool()

        async def child() -> bool:
            return pool.is_closed()

        async def main() -> bool:
            with pool.connection_context():
                return await asyncio.create_task(child())

        assert asyncio.run(main()) is True

    def test_keep_transactions_apart(self, make_pool: MakePool) -> None:
        pool = make_pool()

        async def child() -> int:
            return int(pool.transaction_depth())

        async def main() -> int:
            pool._state.transactions.append(object())
            return await asyncio.create_task(child())

        assert asyncio.run(main()) == 0

    def test_give_back_at_their_end_what_they_forgot(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1)

        async def forget() -> None:
            pool.connect()

        async def main() -> bool:
            await asyncio.create_task(forget())
            return bool(pool.connect())

        assert asyncio.run(main()) is True

    def test_give_to_a_thread_that_waits_what_they_forgot(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)

        async def forget(waiting: list[Call]) -> None:
            pool.connect()
            waiting.append(Call(pool.connect))
            await asyncio.to_thread(wait_for_waiters, pool, 1)

        async def main() -> bool:
            waiting: list[Call] = []
            task = asyncio.create_task(forget(waiting))
            await task
            is_served = await asyncio.to_thread(waiting[0].is_done)
            assert task.done(), "the task object is still there"
            return is_served

        assert asyncio.run(main()) is True

    @pytest.mark.timing
    @pytest.mark.parametrize("timeout", [None, 0, 60])
    def test_are_told_at_once_when_waiting_would_stop_them_all(self, make_pool: MakePool, timeout: int | None) -> None:
        pool = make_pool(max_connections=1, timeout=timeout)

        async def ask() -> None:
            pool.connect()

        reason = None if timeout is None else "event loop"

        async def main() -> None:
            with pool.connection_context(), pytest.raises(PoolTimeout, match=reason):
                await asyncio.create_task(ask())

        started = time.monotonic()
        asyncio.run(main())
        assert time.monotonic() - started < 30

    def test_have_what_died_while_idle_replaced(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)

        async def main() -> bool:
            connection = take_connection(pool)
            pool.close()
            connection.is_dead = True
            return take_connection(pool) is not connection

        assert asyncio.run(main()) is True

    def test_wait_for_what_is_being_opened_for_nobody(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(max_connections=2, timeout=5)
        gate = Gate(server)
        server.before_connect, stop = (lambda: None), server.before_connect

        async def ask() -> bool:
            threading.Timer(0.05, gate.open).start()
            return bool(pool.connect())

        async def main() -> bool:
            with pool.connection_context():
                server.before_connect = stop
                impatient = Call(functools.partial(_connect_within, pool, 0.01))
                await asyncio.to_thread(impatient.is_done)
                assert pool.stats().opening == 1
                return await asyncio.create_task(ask())

        assert asyncio.run(main()) is True

    def test_wait_for_what_another_thread_will_return(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=1, timeout=5)
        borrower = Borrower(pool).start()

        async def main() -> bool:
            threading.Timer(0.02, borrower.let_go).start()
            return bool(pool.connect())

        assert asyncio.run(main()) is True

    def test_have_worker_threads_of_their_own_connection(self, make_pool: MakePool) -> None:
        pool = make_pool()

        async def main() -> bool:
            with pool.connection_context():
                return await asyncio.to_thread(pool.is_closed)

        assert asyncio.run(main()) is True


def _connect_within(pool: DbtoolPool, seconds: float) -> None:
    """Ask for a connection with another timeout than the pool's."""
    with pytest.raises((PoolTimeout, ConnectionFailedError)):
        pool._pool._acquire_by(time.monotonic() + seconds, None, BorrowerIdentity(threading.get_ident()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
class TestFork:
    """A forked child begins empty, whatever the parent was doing."""

    def test_while_another_thread_holds_the_lock(self, make_pool: MakePool) -> None:
        pool = make_pool()
        pool.connect()
        with pool._pool._ledger.lock:
            child = fork(lambda: pool.connect() and pool.close() and pool.stats().total == 1)

        assert wait_for_child(child) == 0

    def test_leaves_the_parents_connections_open(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool()
        taken = take_connection(pool)

        def use() -> bool:
            is_empty = pool.is_closed() and pool.stats().total == 0
            pool.connect()
            pool.close_all()
            return is_empty and not taken.is_closed

        assert wait_for_child(fork(use)) == 0
        assert pool.connection() is taken

    def test_has_a_housekeeping_thread_of_its_own(self, make_pool: MakePool, server: StubServer) -> None:
        pool = make_pool(idle_timeout=0.02)
        pool.connect()
        pool.close()

        def use() -> bool:
            server.open.clear()
            pool.connect()
            pool.close()
            return wait_until(lambda: not server.open)

        assert wait_for_child(fork(use)) == 0


def _block(pool: DbtoolPool) -> Generator[None, None, None]:
    """Hold a connection for as long as the generator lasts, as a web framework's dependency does."""
    with pool.connection_context():
        yield


class TestContext:
    """The block that has a connection."""

    def test_returns_it_though_a_transaction_is_open(self, make_pool: MakePool) -> None:
        pool = make_pool()

        def fail() -> None:
            with pool.connection_context():
                pool._state.transactions.append(object())
                raise LookupError("the user's own")

        with pytest.raises(LookupError, match="the user's own"):
            fail()
        assert (pool.stats().in_use, pool.stats().idle) == (0, 1)
        assert not pool.in_transaction()

    def test_says_so_if_nothing_else_went_wrong(self, make_pool: MakePool) -> None:
        pool = make_pool()

        def forget() -> None:
            with pool.connection_context():
                pool._state.transactions.append(object())

        with pytest.raises(Exception, match="transaction is open"):
            forget()
        assert pool.stats().idle == 1

    def test_nests(self, make_pool: MakePool) -> None:
        pool = make_pool()
        with pool.connection_context() as outer:
            with pool.connection_context() as inner:
                assert inner is outer
            assert not pool.is_closed()

        assert pool.is_closed()

    def test_ends_in_any_order(self, make_pool: MakePool) -> None:
        pool = make_pool()
        first, second = pool.connection_context(), pool.connection_context()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert not pool.is_closed()
        second.__exit__(None, None, None)

        assert (pool.stats().in_use, pool.stats().idle) == (0, 1)

    def test_that_ends_in_another_thread_returns_what_it_took(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=2)
        block, begun, over = _block(pool), threading.Event(), threading.Event()

        def begin() -> None:
            next(block)
            begun.set()
            over.wait(PATIENCE)

        call = Call(begin)
        assert begun.wait(PATIENCE)
        connection = take_connection(pool)
        pool._state.transactions.append(object())

        block.close()

        assert (pool.stats().in_use, pool.is_closed(), len(pool._state.transactions)) == (1, False, 1)
        assert pool.connection() is connection
        over.set()
        call.result()
        pool._state.transactions.clear()

    def test_that_outlives_its_thread_ends_nobody_elses(self, make_pool: MakePool) -> None:
        pool = make_pool(max_connections=2)
        block = _block(pool)
        Call(lambda: next(block)).result()
        connection = take_connection(pool)

        block.close()

        assert pool.connection() is connection
        assert wait_until(lambda: pool.stats().in_use == 1)

    def test_decorates(self, make_pool: MakePool) -> None:
        pool = make_pool()

        @pool.connection_context()  # type: ignore[untyped-decorator]
        def count() -> int:
            return pool.stats().in_use

        assert [count(), count()] == [1, 1]
        assert pool.stats().in_use == 0


def test_a_pool_outlives_no_thread_that_used_it(server: StubServer) -> None:
    """A thread's state must not keep the pool, nor its end touch a pool that is gone."""
    pool = DbtoolPool("stub", server=server)
    go = threading.Event()

    def hold() -> None:
        pool.connect()
        go.wait(5)

    call = Call(hold)
    assert wait_until(lambda: pool.stats().in_use == 1)
    go.set()
    call.result()

    assert wait_until(lambda: pool.stats().idle == 1)
