"""What dbtool remembers between commands: the switched profile, the one before, and what is trusted.

One JSON file in the state directory, 0600 in a directory of 0700. A reader sees a whole file or none,
because a writer renames a finished one into place; writers take turns by a lock beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.files import read_head
from dbtool.profiles.paths import make_private
from dbtool.records import Record
from dbtool.replacing import replace_content

TYPE_CHECKING = False  # `dbtool current` reads the state too
if TYPE_CHECKING:
    from typing import Any

_FILE = "state.json"
_VERSION = 1
_LOCK_WAIT = 10.0
_LARGEST = 1 << 25
_LAST_SECOND = 1e12
_LONGEST_SECONDS = 12
"""Digits of epoch seconds that every system can turn into a time of day."""
_NONE: Mapping[str, Any] = MappingProxyType({})


class Switch(Record):
    """The switched profile; `until` is epoch seconds, None for good."""

    name: str
    until: float | None = None
    fallback: str | None = None
    """What is switched to again once `until` has passed."""
    file: str | None = None
    """The file that the profile came from: a name alone may be another's elsewhere. None in a record of old."""
    fallback_file: str | None = None

    def at(self, now: float) -> tuple[str | None, str | None]:
        """Return the profile that the switch stands for at a time in epoch seconds, and the file that it came from."""
        lasts = self.until is None or now < self.until
        return (self.name, self.file) if lasts else (self.fallback, self.fallback_file)


class State(Record):
    """Everything remembered; digests stand for the exact content of a file."""

    switch: Switch | None = None
    previous: str | None = None
    previous_file: str | None = None
    """The file that the previous profile came from."""
    projects: Mapping[str, Mapping[str, str]] = _NONE
    """Per trusted project directory: the digest of each of its files."""
    pins: Mapping[str, str] = _NONE
    """The digest of each trusted `.dbtool-profile`."""
    warning: str | None = None
    """What was wrong with the file, which then counts as empty; never written."""

    def switched(self, now: float) -> tuple[str | None, str | None]:
        """Return the switched profile at a time in epoch seconds, and the file that it came from."""
        return self.switch.at(now) if self.switch else (None, None)

    def switch_to(self, name: str | None, *, now: float, until: float | None = None, file: str | None = None) -> State:
        """Return the state after a switch to the `name` of `file`, or to none; what was switched becomes previous."""
        before = self.switch
        current, current_file = self.switched(now)
        lasting, lasting_file = current, current_file
        if before and before.until is not None:
            lasting, lasting_file = before.fallback, before.fallback_file
        switch = None
        if name is not None:
            switch = Switch(name=name, until=until, file=file)
            if until:
                switch = switch.replaced(fallback=lasting, fallback_file=lasting_file)
        if current in (None, name):
            return self.replaced(switch=switch)
        return self.replaced(switch=switch, previous=current, previous_file=current_file)


def read_state(environment: Environment) -> State:
    """Read what is remembered; a file that cannot be used is reported in `warning`, never raised."""
    path = environment.state_directory / _FILE
    try:
        content = read_head(path, _LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return State()
    except OSError as error:  # which may be no file: a pipe would be waited for
        return State(warning=f"{path} cannot be read ({error.strerror}): no profile is switched and no project trusted")
    try:
        return _decode(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return State(
            warning=f"{path} is damaged or from another version of dbtool: no profile is switched and no project "
            "trusted; it is kept aside at the next switch or trust"
        )


def update_state(environment: Environment, change: Callable[[State], State]) -> State:
    """Change what is remembered, in turn with every other writer, and return the new state.

    Raises ProfileError when it cannot be written.
    """
    directory = environment.state_directory
    try:
        _keep_private(directory)
        # The lock file guards the read and the write of state.json; it is never removed, so that
        # two writers never lock two different files.
        with open(directory / "state.lock", "ab", opener=_open_private) as lock:
            _lock(lock.fileno(), directory)
            before = read_state(environment)
            after = change(before.replaced(warning=None)).replaced(warning=None)
            if before.warning:
                _keep_aside(directory / _FILE)
            # One name, so that what a crash has left of it is gone with the next change.
            draft = directory / f"{_FILE}.new"
            draft.unlink(missing_ok=True)
            replace_content(directory / _FILE, _encode(after), draft=draft)
    except OSError as error:
        raise ProfileError(f"the state cannot be written to {directory}: {error.strerror}") from error
    return after


def _keep_private(directory: Path) -> None:
    make_private(directory)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)


def _lock(descriptor: int, directory: Path) -> None:
    """Wait for the lock, which goes when the file is closed."""
    import time  # readers never get here

    deadline = time.monotonic() + _LOCK_WAIT
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise ProfileError(f"another process has held the lock in {directory} for {_LOCK_WAIT:.0f}s")
        time.sleep(0.01)


def try_lock(descriptor: int) -> bool:
    """Lock a file until every copy of the descriptor is closed; say False where another process has it."""
    try:
        if os.name == "nt":
            import msvcrt  # exists on this platform only

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl  # exists on this platform only

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _keep_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.replace(aside)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _encode(state: State) -> bytes:
    import json  # most commands have no state to read or write

    switch = state.switch
    document = {
        "version": _VERSION,
        "switched": switch and {name: getattr(switch, name) for name in Switch.field_names()},
        "previous": state.previous,
        "previous_file": state.previous_file,
        "trust": {
            "projects": {directory: dict(files) for directory, files in state.projects.items()},
            "pins": dict(state.pins),
        },
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _decode(content: bytes) -> State:
    """Read a document; anything but the exact shape that `_encode` writes raises."""
    import json  # most commands have no state to read or write

    document = json.loads(content)
    if document["version"] != _VERSION:
        raise ValueError("another version")
    trust = document["trust"]
    return State(
        switch=_decode_switch(document["switched"]),
        previous=_check_name(document["previous"]),
        previous_file=_check_name(document.get("previous_file")),
        projects={directory: _check_digests(files) for directory, files in trust["projects"].items()},
        pins=_check_digests(trust["pins"]),
    )


def _decode_switch(written: Any) -> Switch | None:
    if written is None:
        return None
    name, until = _check_name(written["name"]), written["until"]
    if name is None or not (until is None or (isinstance(until, (int, float)) and 0 <= until < _LAST_SECOND)):
        raise ValueError("no switch")
    return Switch(
        name=name,
        until=until,
        fallback=_check_name(written["fallback"]),
        file=_check_name(written.get("file")),
        fallback_file=_check_name(written.get("fallback_file")),
    )


def _check_name(written: Any) -> str | None:
    if written is not None and not isinstance(written, str):
        raise ValueError("no name")
    return written


def _check_digests(written: Any) -> dict[str, str]:
    if not all(isinstance(digest, str) for digest in written.values()):
        raise ValueError("no digest")
    return dict(written)


SHELL_PROFILE = "DBTOOL_PROFILE"
SHELL_FILE = "DBTOOL_PROFILE_FILE"
"""The name that a switch gave DBTOOL_PROFILE, a blank, and the file that this profile is of.

It is about no other name, so that a DBTOOL_PROFILE set by hand later means whatever has its name.
"""
SHELL_UNTIL = "DBTOOL_PROFILE_UNTIL"
"""Epoch seconds and the name that they are about, so that a DBTOOL_PROFILE set by hand later never runs out."""
SHELL_FALLBACK = "DBTOOL_PROFILE_FALLBACK"
"""What the shell was switched to for good before, with its file if a switch said it; counts once the time is up."""
SHELL_PREVIOUS = "DBTOOL_PROFILE_PREVIOUS"
"""What `switch - --shell` goes back to, with its file if a switch said it."""


class ShellSwitch(Record):
    """What a shell's variables say; `until` is epoch seconds, None for good."""

    _concealed = frozenset({"profile", "fallback"})

    profile: str | None
    """What DBTOOL_PROFILE says: a name, or a URL or path that somebody wrote there."""
    file: str | None = None
    """The file that a switch bound the name to."""
    fallback: str | None = None
    fallback_file: str | None = None
    until: int | None = None

    def variable_at(self, now: float) -> str | None:
        """Return the variable that names the shell's profile at a time in epoch seconds."""
        if self.profile and (self.until is None or now < self.until):
            return SHELL_PROFILE
        return self.lasting

    @property
    def lasting(self) -> str | None:
        """Return the variable that names what the shell is switched to for good."""
        if self.until is None:
            return SHELL_PROFILE if self.profile else None
        return SHELL_FALLBACK if self.fallback else None

    def read(self, variable: str | None) -> tuple[str | None, str | None]:
        """Return what one of the two variables names, and the file that it is bound to."""
        if variable == SHELL_PROFILE:
            return self.profile, self.file
        return (self.fallback, self.fallback_file) if variable == SHELL_FALLBACK else (None, None)


def read_shell_switch(variables: Mapping[str, str]) -> ShellSwitch:
    """Read a shell's switch; raises ValueError where its time makes no sense."""
    named = variables.get(SHELL_PROFILE) or None
    seconds, _, about = variables.get(SHELL_UNTIL, "").partition(" ")
    if seconds and not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= _LONGEST_SECONDS):
        raise ValueError("is not what `dbtool switch --shell --for` sets: unset it")
    bound, file = split_bound(variables.get(SHELL_FILE, ""))
    fallback, fallback_file = split_bound(variables.get(SHELL_FALLBACK, ""))
    return ShellSwitch(
        profile=named,
        file=file if bound == named else None,
        fallback=fallback or None,
        fallback_file=fallback_file,
        until=int(seconds) if seconds and named and about == named else None,
    )


def split_bound(text: str) -> tuple[str, str | None]:
    """Return a name and the file that a switch bound it to; what no switch wrote is returned whole."""
    name, _, file = text.partition(" ")
    return (name, file) if Path(file).is_absolute() and "/" not in name else (text, None)
