"""Opening a session for an action, within its time limits, on its worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from dbtool.actions.face import Face
from dbtool.actions.passwords import TypedPasswords
from dbtool.engines.engine import SessionSettings
from dbtool.environment import Environment
from dbtool.errors import ConnectionFailedError, DbtoolError, PasswordNeededError, TimedOutError
from dbtool.profiles import resolve
from dbtool.profiles.model import Profile, Target
from dbtool.records import Record
from dbtool.run.session import Session, open_session, open_with_patience, say_patience
from dbtool.run.worker import Worker
from dbtool.text import format_duration

_T = TypeVar("_T")

_GRACE = 0.5
"""Seconds that a driver gets beyond connect_timeout to say itself what went wrong."""


class Limits(Record):
    """How long an action may take as a whole, and how long it waits for a server; seconds.

    `started` is on the monotonic clock.
    """

    timeout: float | None = None
    wait: float = 0.0
    started: float

    @property
    def deadline(self) -> float | None:
        """When the action as a whole has to end."""
        return None if self.timeout is None else self.started + self.timeout

    def timed_out(self) -> DbtoolError:
        """Word the error for an action that did not end in time."""
        return TimedOutError(f"timed out: --timeout {self.timeout:g} s is over")


class Connector(Record, kw_only=False):
    """Opens sessions for one action. Belongs to the thread that waits for its worker."""

    environment: Environment
    face: Face
    worker: Worker
    limits: Limits
    typed: TypedPasswords

    def open(self, profile: Profile, settings: SessionSettings) -> Session:
        """Resolve a profile and open a session of it, asking for a password that only a person knows.

        Raises DbtoolError.
        """
        deadline = self.limits.deadline
        target = self.worker.call(
            lambda: resolve(profile, self.environment, deadline=deadline),
            deadline=deadline,
            timed_out=self.limits.timed_out,
        )
        known = self.typed.find(profile)
        try:
            session = self._connect(target if known is None else target.replaced(password=known), settings)
        except PasswordNeededError as error:
            password = self.typed.ask(self.face, profile, target, error)
            session = self._connect(target.replaced(password=password), settings)
            self.typed.keep(self.environment, self.face, profile, password)
        for warning in session.connection.warnings:
            self.face.warn(warning)
        return session

    def _connect(self, target: Target, settings: SessionSettings) -> Session:
        started, attempts = time.monotonic(), 0

        def connect() -> Session:
            nonlocal attempts
            attempts += 1
            return open_session(target, settings)

        session = connect_in_time(self.worker, self.limits, target, connect)
        if attempts > 1:
            self.face.note(f"connected after waiting {format_duration(time.monotonic() - started)}")
        return session


def connect_in_time(worker: Worker, limits: Limits, target: Target, connect: Callable[[], _T]) -> _T:
    """Call `connect` on the worker, again while `--wait` lasts, and leave it behind past connect_timeout.

    A driver may count coarser than that, or hang. Raises ConnectionFailedError, and what `connect` raises.
    """
    started = time.monotonic()
    limit = started + limits.wait + target.connect_timeout + _GRACE
    is_deadline_first = limits.deadline is not None and limits.deadline <= limit

    def too_late() -> DbtoolError:
        if is_deadline_first:
            return limits.timed_out()
        error = ConnectionFailedError(
            f"profile {target.name!r}: {target.socket or target.host or target.path} did not answer within "
            f"connect_timeout ({target.connect_timeout:g} s)",
            transient=True,
        )
        return say_patience(error, time.monotonic() - started) if limits.wait else error

    return worker.call(
        lambda: open_with_patience(connect, limits.wait),
        deadline=limits.deadline if is_deadline_first else limit,
        timed_out=too_late,
    )
