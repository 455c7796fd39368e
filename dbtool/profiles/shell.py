"""The switch of one shell: the variables that `dbtool switch --shell` sets there."""

from __future__ import annotations

from collections.abc import Mapping

from dbtool.records import Record

SHELL_PROFILE = "DBTOOL_PROFILE"
SHELL_UNTIL = "DBTOOL_PROFILE_UNTIL"
"""Epoch seconds and the name that they are about, so that a DBTOOL_PROFILE set by hand later never runs out."""
SHELL_FALLBACK = "DBTOOL_PROFILE_FALLBACK"
"""What the shell was switched to for good before; it counts once the time is up."""
SHELL_PREVIOUS = "DBTOOL_PROFILE_PREVIOUS"
"""What `switch - --shell` goes back to."""


class ShellSwitch(Record):
    """What a shell's variables say; `until` is epoch seconds, None for good."""

    profile: bool
    """DBTOOL_PROFILE is set."""
    fallback: bool
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


def read_shell_switch(variables: Mapping[str, str]) -> ShellSwitch:
    """Read a shell's switch; raises ValueError where its time makes no sense."""
    named = variables.get(SHELL_PROFILE)
    seconds, _, about = variables.get(SHELL_UNTIL, "").partition(" ")
    if seconds and not (seconds.isascii() and seconds.isdecimal()):
        raise ValueError("is not what `dbtool switch --shell --for` sets: unset it")
    return ShellSwitch(
        profile=bool(named),
        fallback=bool(variables.get(SHELL_FALLBACK)),
        until=int(seconds) if seconds and named and about == named else None,
    )
