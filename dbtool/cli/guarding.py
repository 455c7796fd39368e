"""Whether a command may write to a profile, and the confirmation that a protected one asks for."""

from __future__ import annotations

from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import GuardError
from dbtool.profiles import Choice, Rule
from dbtool.records import Record

_TERMINAL = Path("/dev/tty")
_NAMED = frozenset({Rule.FLAG, Rule.VARIABLE})


class WriteRequest(Record):
    """What the caller said about writing: `--write`, and `--confirm NAME`."""

    write: bool = False
    confirm: str | None = None


def decide_read_only(environment: Environment, choice: Choice, request: WriteRequest) -> bool:
    """Return whether the session has to be read-only, after asking where a person has to confirm.

    Raises GuardError where writing is refused.
    """
    profile = choice.profile
    if profile.read_only and request.write:
        raise GuardError(f"profile {profile.name!r} is read_only ({profile.origin}): --write cannot lift that")
    if not profile.guarded:
        return False
    if not request.write:
        return True
    _confirm(environment, choice, request.confirm)
    return False


def _confirm(environment: Environment, choice: Choice, confirm: str | None) -> None:
    name = choice.profile.name
    on_terminal = can_ask(environment)
    if not on_terminal and choice.rule not in _NAMED:
        raise GuardError(
            f"profile {name!r} is protected and was chosen by {choice.rule.value} ({choice.source}): "
            "a script that writes to it has to name it, with --profile or DBTOOL_PROFILE"
        )
    if confirm is not None:
        if confirm != name:
            raise GuardError(f"--confirm {confirm!r} is not the name of the profile, which is {name!r}")
    elif on_terminal and ask_for_name(environment, name, "write to it") != name:
        raise GuardError(f"writing to the protected profile {name!r} was not confirmed")


def can_ask(environment: Environment) -> bool:
    """Say whether there is a person at a terminal, whatever the standard input is."""
    return environment.stderr_is_terminal and _has_terminal()


def _has_terminal() -> bool:
    try:
        with _TERMINAL.open("rb+", buffering=0):
            return True
    except OSError:
        return False


def ask_for_name(environment: Environment, name: str, purpose: str) -> str:
    """Ask for a protected profile's name on the terminal itself: standard input may be the script."""
    environment.stderr.write(f"{name} is protected. Type its name to {purpose}: ")
    environment.stderr.flush()
    with _TERMINAL.open(encoding="utf-8", errors="replace") as terminal:
        return terminal.readline().strip()
