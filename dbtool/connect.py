"""One pool per profile: building it, whichever engine the profile names, and opening it for a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.environment import Environment
from dbtool.pool.events import PoolEvents
from dbtool.profiles import choose, load_catalog, read_state, resolve
from dbtool.profiles.model import Profile, Target

TYPE_CHECKING = False  # peewee is imported when a pool opens
if TYPE_CHECKING:
    from dbtool.pool import PooledDatabase


def build_database(target: Target, settings: SessionSettings, *, events: PoolEvents | None = None) -> PooledDatabase:
    """Return a peewee database with a pool for `target`; nothing is connected yet."""
    return load_engine(target.engine).build_database(target, settings, events)


def unwrap(error: BaseException) -> BaseException:
    """Return the driver's exception that peewee has wrapped, or the exception itself."""
    wrapped = getattr(error, "orig", None)
    return wrapped if isinstance(wrapped, BaseException) else error


@contextmanager
def open_pool(
    environment: Environment,
    profile: str | None = None,
    *,
    config: str | None = None,
    write: bool = False,
    events: PoolEvents | None = None,
) -> Iterator[PooledDatabase]:
    """Give a peewee database with the profile's pool, and shut it down at the end of the block.

    `profile` is a name, a URL or an SQLite file's path; without one the active profile counts. A
    guarded profile's sessions are read-only; `write` lifts that where the profile is `protected`.
    `events` is told what the pool does.
    Raises ProfileError, GuardError. The pool may be used by many threads.
    """
    catalog = load_catalog(environment, config=config)
    catalog.require_readable()
    chosen = choose(environment, catalog, read_state(environment), flag=profile).profile
    database = open_profile(environment, chosen, write=write, events=events)
    try:
        yield database
    finally:
        database.shutdown(0.0)


def open_profile(
    environment: Environment, profile: Profile, *, write: bool, events: PoolEvents | None = None
) -> PooledDatabase:
    """Return a peewee database with a profile's pool, its secrets resolved; nothing is connected yet."""
    settings = SessionSettings(
        read_only=profile.only_reads(write=write, option="write"),
        keeps_session=True,
        statement_timeout=profile.statement_limit,
    )
    return build_database(resolve(profile, environment), settings, events=events)
