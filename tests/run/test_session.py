"""Opening a session: what is tried again, for how long, and what a failure leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from dbtool.engines.engine import SessionSettings
from dbtool.errors import ConnectionFailedError, ProfileError
from dbtool.profiles.model import Origin, Scope, Target
from dbtool.run.session import Session, open_session, open_with_patience

_OPENED = cast("Session", object())


class _Server:
    """Fails to be reached some times, on a clock of its own."""

    def __init__(self, failures: int, *, transient: bool = True) -> None:
        self.now = 0.0
        self.attempts: list[float] = []
        self._failures = failures
        self._transient = transient

    def open(self) -> Session:
        self.attempts.append(self.now)
        if len(self.attempts) <= self._failures:
            raise ConnectionFailedError(f"attempt {len(self.attempts)}", transient=self._transient)
        return _OPENED

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def open_within(self, wait: float) -> Session:
        return open_with_patience(self.open, wait, clock=lambda: self.now, pause=self.pause)


def test_a_server_that_is_up_is_asked_once() -> None:
    server = _Server(0)
    assert server.open_within(60.0) is _OPENED
    assert server.attempts == [0.0]


def test_without_a_wait_a_failure_is_the_answer() -> None:
    server = _Server(1)
    with pytest.raises(ConnectionFailedError, match="attempt 1"):
        server.open_within(0.0)
    assert server.attempts == [0.0]


@pytest.mark.timing
def test_a_server_that_comes_up_is_found_within_a_second() -> None:
    server = _Server(8)
    assert server.open_within(60.0) is _OPENED
    pauses = [later - earlier for earlier, later in zip(server.attempts, server.attempts[1:], strict=False)]
    assert max(pauses) <= 1.0
    assert pauses == sorted(pauses)


def test_the_wait_is_kept_and_the_last_error_told() -> None:
    server = _Server(1000)
    with pytest.raises(ConnectionFailedError) as caught:
        server.open_within(10.0)
    assert str(caught.value) == f"attempt {len(server.attempts)} (waited 9.5s for it)"
    assert 8.9 < server.attempts[-1] <= 10.0


def test_what_will_not_pass_is_not_tried_again() -> None:
    server = _Server(1, transient=False)
    with pytest.raises(ConnectionFailedError):
        server.open_within(60.0)
    assert server.attempts == [0.0]


def _target(path: Path) -> Target:
    return Target(name="it", engine="sqlite", origin=Origin(path / "p.toml", 1, Scope.USER), path=str(path / "x.db"))


def test_a_session_is_open_and_can_be_closed(tmp_path: Path) -> None:
    target = _target(tmp_path)
    (tmp_path / "x.db").touch()
    session = open_session(target, SessionSettings(read_only=True))
    assert session.connection.facts().read_only
    session.close()
    session.close()


def test_a_file_that_is_not_there_is_the_profiles_fault(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no such SQLite file"):
        open_session(_target(tmp_path), SessionSettings())
