"""Whether an action may write to a profile, and the confirmation that a protected one asks for."""

from __future__ import annotations

from dbtool.actions.face import Face
from dbtool.errors import GuardError
from dbtool.profiles import Choice, Rule
from dbtool.records import Record

_NAMED = frozenset({Rule.FLAG, Rule.VARIABLE})


class WriteRequest(Record):
    """What the caller said about writing: `--write`, and `--confirm NAME`."""

    write: bool = False
    confirm: str | None = None


def decide_read_only(face: Face, choice: Choice, request: WriteRequest) -> bool:
    """Return whether the session has to be read-only, after asking where a person has to confirm.

    Raises GuardError where writing is refused.
    """
    profile = choice.profile
    if profile.is_never_written and request.write:
        raise GuardError(f"profile {profile.name!r} {profile.why_never_written}: --write cannot lift that")
    if not profile.guarded:
        return False
    if not request.write:
        return True
    _confirm(face, choice, request.confirm)
    return False


def _confirm(face: Face, choice: Choice, confirm: str | None) -> None:
    name = choice.profile.name
    if not face.can_ask() and choice.rule not in _NAMED:
        raise GuardError(
            f"profile {name!r} is protected and was chosen by {choice.rule.value} ({choice.source}): "
            "a script that writes to it has to name it, with --profile or DBTOOL_PROFILE"
        )
    if not confirm_name(face, name, confirm, purpose="write to it") and face.can_ask():
        raise GuardError(f"writing to the protected profile {name!r} was not confirmed")


def confirm_name(face: Face, name: str, confirm: str | None, *, purpose: str) -> bool:
    """Say whether a protected profile's name was given, in advance by `--confirm` or by a person who is asked now.

    Raises GuardError where `--confirm` gives another name.
    """
    if confirm is not None and confirm != name:
        raise GuardError(f"--confirm {confirm!r} is not the name of the profile, which is {name!r}")
    return confirm is not None or (face.can_ask() and face.ask_name(name, purpose) == name)
