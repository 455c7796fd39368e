"""The profile that an action is to use, whether it may write there, and the confirmation that some ask for."""

from __future__ import annotations

from dbtool.actions.face import Face
from dbtool.environment import Environment
from dbtool.errors import GuardError, ProfileError
from dbtool.profiles import Catalog, Choice, Rule, State, choose, load_catalog, read_state
from dbtool.profiles.active.unchecked import is_here
from dbtool.profiles.model import Profile
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
    catalog = open_catalog(environment, config)
    state = read_state(environment)
    if state.warning:
        face.warn(state.warning)
    return Chosen(catalog, choose_from(environment, face, catalog, state, flag=flag))


def open_catalog(environment: Environment, config: str | None) -> Catalog:
    """Read the profiles that can be seen from here; raises ProfileError where a file of them cannot be read."""
    catalog = load_catalog(environment, config=config)
    catalog.require_readable()
    return catalog


def choose_from(environment: Environment, face: Face, catalog: Catalog, state: State, *, flag: str | None) -> Choice:
    """Find the profile that a flag, or else the rules, name in a catalog; warns and raises as `choose_profile` does."""
    choice = choose(environment, catalog, state, flag=flag)
    host = _dialled(choice.profile)
    if host is not None and not is_here(host):
        if choice.password_in_argument:
            face.warn("a password in an argument can be seen by other users of this machine: put it into a profile")
        if not choice.profile.trusted:
            face.warn(f"connecting to {host}: so says {choice.profile.origin}, a project that you have not trusted")
    return choice


def _dialled(profile: Profile) -> str | None:
    return dict(profile.libpq).get("hostaddr", profile.host)


def refuse_stranger(profile: Profile) -> ProfileError | None:
    """Return why a profile that nobody named is not connected to: a project that nobody trusted leads elsewhere."""
    host = _dialled(profile)
    if profile.trusted or host is None or is_here(host):
        return None
    return ProfileError(
        f"{profile.origin}: needs trust: it connects to {host}, which is not this machine: look at the file, then "
        f"run `dbtool profile trust` there, or say {profile.name} by its name"
    )
