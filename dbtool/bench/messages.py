"""What a bench and its processes say to each other."""

from __future__ import annotations

import pickle
from threading import Event, Lock
from typing import IO, Any

from dbtool.bench.trials.scene import Plan
from dbtool.records import Record


class Job(Record):
    """What a process is to call: a module's function, which takes the scene of a plan and its `Parent`."""

    module: str
    name: str
    plan: Plan


class Ready(Record):
    """It waits for the word to begin."""


class Done(Record):
    """It has ended well."""

    result: Any


class Failed(Record):
    """It has failed."""

    text: str
    is_usage: bool = False
    """What was asked for cannot be had; the text says all of it."""


class Parent:
    """The process that started this one, as this one sees it. Safe to use from many threads."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        # Guards the order of a message's bytes, and so it is held while they are written.
        self._lock = Lock()
        self.begun = Event()
        """Set when the parent gives the word to begin."""

    def say(self, message: object) -> None:
        """Send one message."""
        with self._lock:
            pickle.dump(message, self._stream)
            self._stream.flush()
