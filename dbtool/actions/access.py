"""The profile that an action is to use, whether it may write there, and the confirmation that some ask for."""

from __future__ import annotations

from dbtool.actions.face import Face
from dbtool.environment import Environment
from dbtool.errors import GuardError
from dbtool.profiles import Catalog, Choice, Rule, choose, load_catalog, read_state
from dbtool.profiles.active.unchecked import is_here
from dbtool.records import Record

_NAMED = frozenset({Rule.FLAG, Rule.VARIABLE})


class WriteRequest(Record):
    """What the caller said about writing: `--write`, and `--confirm NAME`."""

    write: bool = False
    confirm: str | None = None


class Access(Record):
    """The profile that an action uses, and what it may do there."""

    choice: Choice
    read_only: bool


def decide_read_only(face: Face, choice: Choice, request: WriteRequest) -> bool:
    """Return whether the session has to be read-only, after asking where a person has to confirm.

    Raises GuardError where writing is refused.
    """
    profile = choice.profile
    if profile.only_reads(write=request.write, option="--write"):
        return True
    if profile.guarded:
        _confirm(face, choice, request.confirm)
    return False


def _confirm(face: Face, choice: Choice, confirm: str | None) -> None:
    name = choice.profile.name
    if not face.can_ask() and (choice.is_switched or choice.rule not in _NAMED):
        by = "dbtool switch --shell" if choice.is_switched and choice.rule in _NAMED else choice.rule.value
        raise GuardError(
            f"profile {name!r} is protected and was chosen by {by} ({choice.source}): "
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


class Chosen(Record, kw_only=False):
    """The profile that an action is to use, how it was chosen, and from which catalog."""

    catalog: Catalog
    choice: Choice


def choose_profile(environment: Environment, face: Face, *, flag: str | None, config: str | None) -> Chosen:
    """Find the active profile; raises ProfileError.

    Warns of a password that stands in the argument list, where other users of the machine may see it.
    """
    catalog = load_catalog(environment, config=config)
    catalog.require_readable()
    state = read_state(environment)
    if state.warning:
        face.warn(state.warning)
    choice = choose(environment, catalog, state, flag=flag)
    host = dict(choice.profile.libpq).get("hostaddr", choice.profile.host)
    if host is not None and not is_here(host):
        if choice.password_in_argument:
            face.warn("a password in an argument can be seen by other users of this machine: put it into a profile")
        if not choice.profile.trusted:
            face.warn(f"connecting to {host}: so says {choice.profile.origin}, a project that you have not trusted")
    return Chosen(catalog, choice)
