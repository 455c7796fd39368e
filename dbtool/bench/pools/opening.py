"""Opening connections of a profile, for pools that know nothing of profiles; and counting every connect."""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

from dbtool.bench.load.histogram import Histogram
from dbtool.connect import build_database, unwrap
from dbtool.engines import load_engine, load_probe
from dbtool.engines.engine import SessionSettings
from dbtool.errors import DbtoolError
from dbtool.profiles.model import Target


class ConnectMeter:
    """Counts and times the connects of one pool, whoever makes them; usable as a pool's `PoolEvents`.

    `delay` seconds are spent at the beginning of each, as on a slow network. Safe to use from many threads.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay
        # Guards what follows; never held while connecting.
        self._lock = Lock()
        self._under_way = 0
        self.peak = 0
        """The most that were under way at one moment."""
        self.failures = 0
        self.times = Histogram()

    def connecting(self) -> None:
        """Note that a connect begins."""
        with self._lock:
            self._under_way += 1
            self.peak = max(self.peak, self._under_way)
        if self._delay:
            time.sleep(self._delay)

    def connected(self, seconds: float) -> None:
        """Note that one has succeeded."""
        with self._lock:
            self._under_way -= 1
            self.times.record(seconds)

    def connect_failed(self, error: BaseException) -> None:  # noqa: ARG002 - the pool's events share one signature
        """Note that one has failed."""
        with self._lock:
            self._under_way -= 1
            self.failures += 1

    def checked_out(self, waited: float) -> None:
        """Take no notice: the load times that itself, for every pool alike."""

    def checked_in(self, held: float) -> None:
        """Take no notice."""

    def discarded(self, reason: str) -> None:
        """Take no notice."""

    def timed_out(self, waited: float) -> None:
        """Take no notice."""


def connect_beside(target: Target, settings: SessionSettings) -> Any:
    """Open a connection that no pool has; raises ConnectionFailedError and ProfileError."""
    try:
        return Opener(target, settings, ConnectMeter())()
    except DbtoolError:
        raise
    except Exception as error:
        raise load_engine(target.engine).translate_connect_error(unwrap(error), target) from error


class Opener:
    """Opens connections of a target, set up as dbtool sets them up; what other pools call to connect.

    `autocommit` is dbtool's own mode; without it the driver begins transactions by itself, as PEP 249 has it.
    """

    def __init__(
        self, target: Target, settings: SessionSettings, meter: ConnectMeter, *, autocommit: bool = True
    ) -> None:
        self._database = build_database(target, settings)
        self._meter = meter
        self._hand_over = None if autocommit else load_probe(target.engine).begin_by_itself

    def __call__(self) -> Any:
        """Open one; raises what the driver raises."""
        started = time.perf_counter()
        self._meter.connecting()
        try:
            connection = self._database.open_unpooled()
            if self._hand_over is not None:
                self._hand_over(connection)
        except BaseException as error:
            self._meter.connect_failed(error)
            raise
        self._meter.connected(time.perf_counter() - started)
        return connection
