"""peewee's pooled databases, with dbtool's pool under them: drop-ins for those of `playhouse.pool`."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import ref

import peewee
import playhouse.pool
from playhouse.pool import PoolConnection, make_int

from dbtool.errors import UsageError
from dbtool.pool.backend import PeeweeBackend, is_overridden, is_permanent
from dbtool.pool.bindings import Binding, manages_its_database
from dbtool.pool.connections import ConnectionPool
from dbtool.pool.drivers import find_driver
from dbtool.pool.events import PoolEvents, find_logger
from dbtool.pool.forks import follow_forks
from dbtool.pool.lease import Borrower, Health, Lease
from dbtool.pool.ledger import PoolOptions, check_not_negative
from dbtool.pool.states import BorrowerState, States, ThreadStates, find_task

if TYPE_CHECKING:
    from dbtool.pool.stats import PoolStats


# peewee's own words, for those who look for them.
_DEFERRED = "Error, database must be initialized before opening a connection."
_IN_TRANSACTION = "Attempting to close database while transaction is open."


class Overridable:
    """The two methods, and what to do where a subclass has its own."""

    _pool: ConnectionPool
    _state: BorrowerState

    @abstractmethod
    def _close_raw(self, connection: Any) -> None:
        """Close a connection of the driver."""

    def _connect(self) -> Any:
        state = self._state
        # Called from outside, it is for a connection beside the thread's own.
        borrower = state.borrower if state.is_connecting else Borrower(threading.get_ident())
        return self._pool.acquire(borrower).connection

    def _close(self, connection: Any, close_conn: bool = False) -> None:
        lease, borrower = self._pool.find(connection)
        if close_conn:
            if lease is None:
                self._close_raw(connection)
            else:
                self._pool.discard(lease, "closed")
        elif lease is not None:
            self._pool.release(lease, borrower)

    def _check_out_by_override(self, state: BorrowerState) -> None:
        """Check a connection out through a subclass's own `_connect`."""
        state.is_connecting = True
        try:
            connection = self._connect()
        finally:
            state.is_connecting = False
        held = self._pool.list_held_by(state.borrower)
        if not held:
            raise peewee.InterfaceError(_PAST_THE_POOL)
        lease = next((lease for lease in held if lease.connection is connection), held[-1])
        state.take(lease)
        state.conn = connection
        for other in held:
            if other is not lease:
                self._pool.release(other, state.borrower)

    def _check_in_by_override(self, state: BorrowerState) -> None:
        """Return a connection through a subclass's own `_close`, which may still use it."""
        try:
            with translation:
                self._close(state.conn)
        finally:
            state.clear()
            # What it did not pass on is not lost.
            self._pool.recover(state.borrower)


class PlayhouseNames:
    """Settings, which may be assigned, and copies of the rest to look at. Times are the wall clock's, as they were."""

    _pool: ConnectionPool
    conn_key: Callable[[Any], Any] = staticmethod(id)

    @property
    def _max_connections(self) -> int | None:
        return self._pool.options.max_connections

    @_max_connections.setter
    def _max_connections(self, most: int | None) -> None:
        self._change(max_connections=most or None)

    @property
    def _stale_timeout(self) -> float | None:
        return self._pool.options.stale_timeout

    @_stale_timeout.setter
    def _stale_timeout(self, seconds: float | None) -> None:
        self._change(stale_timeout=seconds)

    @property
    def _wait_timeout(self) -> float | None:
        return self._pool.options.timeout

    @_wait_timeout.setter
    def _wait_timeout(self, seconds: float | None) -> None:
        self._change(timeout=seconds)

    def _change(self, **changes: Any) -> None:
        self._pool.replace_options(self._pool.options.replaced(**changes))

    @property
    def _in_use(self) -> dict[Any, PoolConnection]:
        views = (self._describe(lease) for lease in self._pool.list_leases() if lease.holder)
        return {self.conn_key(view.connection): view for view in views}

    @property
    def _connections(self) -> list[tuple[float, int, Any]]:
        idle = [self._describe(lease) for lease in self._pool.list_leases() if not lease.holder]
        return [(view.timestamp, number, view.connection) for number, view in enumerate(idle)]

    def _describe(self, lease: Lease) -> PoolConnection:
        started = time.time() - self._pool.read_clock()
        return PoolConnection(started + lease.opened_at, lease.connection, started + lease.taken_at)


class LeaseContext(peewee.ConnectionContext):
    """A block that has a connection, and returns it at the end if it took it.

    It may end in another thread or task than it began in, as generators do: it is the beginner's connection
    that goes back.
    """

    __slots__ = ("_is_taker", "_state")

    def __enter__(self) -> Any:
        db = self.db
        state = db._state  # noqa: SLF001  # peewee's own protocol between blocks
        # Weak, for the state knows its blocks: a circle would put off what its end gives back.
        self._state = ref(state)
        was_closed = state.closed
        try:
            self._is_taker = db.connect(reuse_if_open=True)
            state.ctx.append(self)
        except BaseException:
            if was_closed and not state.closed:
                # Interrupted in between: no block would ever return it.
                db._return_whatever_happens(state, is_silent=True)  # noqa: SLF001
            raise
        return state.conn

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        state = self._state()
        if state is None:
            return
        if self in state.ctx:
            state.ctx.remove(self)
        if self._is_taker and state.ctx:
            # Blocks may end in any order, as generators do: the connection goes with the last.
            for other in state.ctx:
                if isinstance(other, LeaseContext):
                    other._is_taker = True  # noqa: SLF001  # of this class
        elif self._is_taker:
            self.db._return_whatever_happens(state, is_silent=kind is not None)  # noqa: SLF001


class PooledDatabase(PlayhouseNames, Overridable, playhouse.pool.PooledDatabase):  # type: ignore[misc]
    """A mixin that gives any peewee database a pool.

    Beyond playhouse's arguments: `min_idle` connections are kept warm; `idle_timeout` ends those unused for so
    many seconds; `reset` says what is undone on return ("transaction" or "session"); `on_connect` is called
    with each new connection, and again after a session was reset; `name` stands in messages; `trace` records
    where each connection was checked out; `events` is told what happens; `clock` counts seconds.
    """

    def __init__(  # noqa: PLR0913  # playhouse's arguments and one for each promise beyond
        self,
        database: Any,
        max_connections: Any = 20,
        stale_timeout: Any = None,
        timeout: Any = None,
        *,
        min_idle: int = 0,
        idle_timeout: float | None = None,
        reset: str = "transaction",
        name: str | None = None,
        trace: bool = False,
        events: PoolEvents | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_connect: Callable[[Any], object] | None = None,
        **options: Any,
    ) -> None:
        if reset not in {"transaction", "session"}:
            raise UsageError(f"reset={reset!r} is unknown: write 'transaction' or 'session'")
        settings = PoolOptions(
            max_connections=playhouse.pool.make_int(max_connections) or None,
            stale_timeout=playhouse.pool.make_int(stale_timeout),
            timeout=read_timeout(timeout),
            min_idle=min_idle,
            idle_timeout=idle_timeout,
            resets_session=reset == "session",
            name=name,
            is_traced=trace,
        )
        self._has_own_checkout = is_overridden(self, PooledDatabase, "_connect")
        self._has_own_checkin = is_overridden(self, PooledDatabase, "_close")
        backend = PeeweeBackend(self, on_connect, PooledDatabase)
        self._pool = ConnectionPool(backend, settings, clock=clock, events=events)
        # Past playhouse's constructor, which would make a second pool.
        super(playhouse.pool.PooledDatabase, self).__init__(database, **options)
        follow_forks(self)

    def init(
        self, database: Any, max_connections: Any = None, stale_timeout: Any = None, timeout: Any = None, **options: Any
    ) -> None:
        """Point the pool at a database; the connections to the one before are closed."""
        changes: dict[str, Any] = {}
        if max_connections is not None:
            changes["max_connections"] = playhouse.pool.make_int(max_connections) or None
        if stale_timeout is not None:
            changes["stale_timeout"] = playhouse.pool.make_int(stale_timeout)
        if timeout is not None:
            changes["timeout"] = read_timeout(timeout)
        changed = self._pool.options.replaced(**changes)
        super(playhouse.pool.PooledDatabase, self).init(database, **options)
        self._pool.replace_options(changed)
        self._pool.begin_anew()

    @property
    def _state(self) -> BorrowerState:
        task = find_task()
        return self._states.state if task is None else self._states.find_task_state(task)

    @_state.setter
    def _state(self, state: Any) -> None:
        # A kind of the program's own keeps its threads apart in some way: one state for all would mix them up.
        kind = States if type(state) is peewee._ConnectionState else ThreadStates  # noqa: SLF001
        self._states: States = kind(self._pool.mailbox)

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Check a connection out for this thread or task; False if it has one and `reuse_if_open`."""
        state = self._state
        if self.deferred:
            raise peewee.InterfaceError(_DEFERRED)
        if not state.closed:
            if reuse_if_open:
                return False
            raise peewee.OperationalError("Connection already opened.")
        try:
            if self._has_own_checkout:
                self._check_out_by_override(state)
            else:
                state.take(self._pool.acquire(state.borrower))
            self._initialize_connection(state.conn)
        except BaseException:
            lease = state.clear()
            if lease is not None:
                self._pool.discard(lease, "set-up")
            self._pool.recover(state.borrower)
            with translation:
                raise
        return True

    def close(self) -> bool:
        """Return this thread's or task's connection to the pool; False if it had none."""
        state = self._state
        if self.deferred:
            raise peewee.InterfaceError(_DEFERRED)
        if state.transactions:
            raise peewee.OperationalError(_IN_TRANSACTION)
        if state.closed:
            return False
        self._return(state)
        return True

    def _return(self, state: BorrowerState) -> None:
        if self._has_own_checkin:
            self._check_in_by_override(state)
        else:
            self._check_in(state)

    def _check_in(self, state: BorrowerState) -> None:
        try:
            lease = state.clear()
            if lease is not None:
                self._pool.release(lease, state.borrower)
        except BaseException:
            state.clear()
            self._pool.recover(state.borrower)
            raise

    @contextmanager
    def _recovering(self, state: BorrowerState) -> Iterator[None]:
        """Make a block after which, should it be interrupted, nobody has what the state had."""
        try:
            yield
        except BaseException:
            state.clear()
            self._pool.recover(state.borrower)
            raise

    def connection(self) -> Any:
        """Return this thread's or task's connection, checked out now if need be."""
        state = self._state
        if state.closed:
            self.connect()
        return state.conn

    def connection_context(self) -> LeaseContext:
        """Make a block that has a connection; it yields the driver's own."""
        return LeaseContext(self)

    def _return_whatever_happens(self, state: BorrowerState, *, is_silent: bool) -> None:
        is_in_transaction = bool(state.transactions)
        state.transactions = []
        if not state.closed:
            self._return(state)
        if is_in_transaction and not is_silent:
            raise peewee.OperationalError(_IN_TRANSACTION)

    def _refuse_in_transaction(self) -> None:
        if self._state.transactions:
            raise peewee.OperationalError(_IN_TRANSACTION)

    def bind_ctx(self, models: Sequence[Any], bind_refs: bool = True, bind_backrefs: bool = True) -> Any:
        """Make a block in which models belong to this database, for this thread or task alone."""
        if any(manages_its_database(model) for model in models):
            return super().bind_ctx(models, bind_refs, bind_backrefs)
        return Binding(models, self, refs=bind_refs, backrefs=bind_backrefs)

    def manual_close(self) -> bool | None:
        """Close this thread's or task's connection for good; False if it had none."""
        state = self._state
        if state.closed:
            return False
        self._refuse_in_transaction()
        with self._recovering(state):
            lease = state.clear()
            if lease is not None:
                self._pool.discard(lease, "closed")
        return None

    def close_idle(self) -> None:
        """Close the connections that nobody has."""
        self._pool.close_idle()

    def close_stale(self, age: float = 600) -> int:
        """Close the connections that have been out for longer than `age` seconds, under their borrowers."""
        check_not_negative("age", age)
        return self._pool.close_held(age)

    def close_all(self) -> None:
        """Close every connection, even under its borrower."""
        self._refuse_in_transaction()
        state = self._state
        with self._recovering(state):
            state.clear()
            self._pool.close_all()

    def dispose(self) -> None:
        """Lose every connection without closing any."""
        state = self._state
        with self._recovering(state):
            state.clear()
            self._pool.forget()

    def shutdown(self, timeout: float | None = None) -> bool:
        """End the pool for good: refuse new callers, wait for the borrowers, close everything.

        Returns whether every connection came back within `timeout` seconds (None: for ever); one that comes
        back later is closed then. The caller's own is returned first.
        """
        check_not_negative("timeout", timeout)
        self._return_whatever_happens(self._state, is_silent=True)
        return self._pool.shut_down(timeout)

    def open_unpooled(self) -> Any:
        """Open a connection of the driver that the pool knows nothing of, set up as the pool's own are.

        The caller closes it. Raises what the driver raises.
        """
        return self._pool.open_unpooled()

    def stats(self) -> PoolStats:
        """Return the pool's gauges and counters of this moment."""
        return self._pool.stats()

    def is_permanent_failure(self, error: BaseException) -> bool:
        """Say whether a failure to connect is one that waiting cannot mend; a subclass may know better."""
        return is_permanent(error)

    def _dial(self) -> Any:
        return super(playhouse.pool.PooledDatabase, self)._connect()

    def _close_raw(self, connection: Any) -> None:
        try:
            super(playhouse.pool.PooledDatabase, self)._close(connection)
        except Exception:
            find_logger(__name__).debug("a connection could not be closed", exc_info=True)

    def _is_closed(self, connection: Any) -> bool:
        """Say whether a connection is closed; overridden, it is asked at each checkout."""
        look = find_driver(connection).look
        return look is not None and look(connection) is Health.DEAD

    def _can_reuse(self, connection: Any) -> bool:
        """Undo what a borrower left open; overridden, it is asked at each check-in."""
        settle = find_driver(connection).settle
        return settle is None or settle(connection)

    def start_in_child(self) -> None:
        """Begin empty in a forked child."""
        self._pool.start_in_child()
        if self.thread_safe:
            self._lock: Any = threading.Lock()
        self._states = self._states.start_in_child(self._pool.mailbox)


def read_timeout(timeout: Any) -> float | None:
    """Turn playhouse's 0, which waits for ever, into infinity; None does not wait."""
    seconds: float | None = make_int(timeout)
    return float("inf") if seconds == 0 else seconds


translation = vars(peewee)["__exception_wrapper__"]
"""Turns a driver's error into peewee's."""

_PAST_THE_POOL = "_connect() has to take its connection from super()._connect(): that is the pool."
