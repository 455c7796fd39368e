"""Stopping a load, and holding it, from another thread."""

from __future__ import annotations

import threading


class Control:
    """Stops a run, or holds its threads between two turns, from another thread."""

    def __init__(self) -> None:
        self.is_free = True
        """Nobody has paused or ended the run. A plain field: every thread asks before every turn."""
        self.is_finished = False
        """The run is to end."""
        self._finished = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        # Guards the changes to all of these, so that who resumes a run does not undo its end.
        self._lock = threading.Lock()

    def finish(self) -> None:
        """End the run after the turns that are under way."""
        with self._lock:
            self.is_free, self.is_finished = False, True
            self._finished.set()
            self._flowing.set()

    def pause(self) -> None:
        """Let no thread begin another turn; one that is finished stays so."""
        with self._lock:
            self.is_free = False
            if not self.is_finished:
                self._flowing.clear()

    def resume(self) -> None:
        """Let the threads go on."""
        with self._lock:
            self.is_free = not self.is_finished
            self._flowing.set()

    def wait_for_leave(self) -> bool:
        """Wait while the run is paused; say whether it goes on."""
        self._flowing.wait()
        return not self.is_finished

    def sleep(self, seconds: float) -> bool:
        """Sleep, but no longer than the run lasts; say whether that was long enough."""
        return seconds <= 0 or not self._finished.wait(seconds)
