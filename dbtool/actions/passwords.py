"""Passwords that no profile knows: asked for once, and offered to the keyring once the server has taken them."""

from __future__ import annotations

from dbtool.actions.face import Face
from dbtool.environment import Environment
from dbtool.errors import DbtoolError, PasswordNeededError, ProfileError
from dbtool.profiles.model import Profile, Target
from dbtool.profiles.paths import Scope
from dbtool.profiles.secrets import Deadline, can_keep, keep_in_keyring

_OWN = frozenset({Scope.USER, Scope.EXPLICIT})
"""Whose files are changed when a person says yes: a project's is shared, and would have to be trusted anew."""


class TypedPasswords:
    """What was typed while one command runs, by the profiles that it is for. Belongs to the thread that asks."""

    def __init__(self, *, may_ask: bool = True) -> None:
        self._typed: dict[tuple[str, str], str] = {}
        self._may_ask = may_ask

    def find(self, profile: Profile) -> str | None:
        """Return the password that was typed for a profile before."""
        return self._typed.get(_identify(profile))

    def ask(self, face: Face, profile: Profile, target: Target, error: PasswordNeededError) -> str:
        """Ask for the password that a server wants.

        Raises PasswordNeededError where nobody can be asked, and where a project that nobody trusted sends to a server.
        """
        if not (self._may_ask and profile.trusted and face.can_ask()):
            raise PasswordNeededError(f"{error} - {_say_what_to_do(profile)}") from error.__cause__
        password = face.ask_secret(f"password of {target.user or 'nobody'} at {target.socket or target.host}")
        if not password:
            raise error
        self._typed[_identify(profile)] = password
        return password

    def keep(self, environment: Environment, face: Face, profile: Profile, password: str) -> None:
        """Offer a password that the server has taken to the keyring."""
        if profile.origin.scope not in _OWN or not can_keep():
            return
        if not face.confirm(f"keep it in the keyring for {profile.name}?"):
            return
        try:
            note = refer_to_keyring(environment, profile, password)
        except DbtoolError as failure:  # the connection is there all the same
            face.warn(f"it is not kept: {failure}")
        else:
            face.note(note)


def _identify(profile: Profile) -> tuple[str, str]:
    return profile.name, str(profile.origin)


def _say_what_to_do(profile: Profile) -> str:
    """Say what is missing, and where it can be put."""
    if profile.origin.scope is Scope.ARGUMENT:
        return "this profile has no password: write it into the URL, or make a profile with `dbtool profile add`"
    if not profile.trusted:
        return (
            "this profile has no password: one is asked for once `dbtool profile trust` has been run in "
            f"{profile.origin.file.parent}"
        )
    return f"this profile has no password: `dbtool profile password {profile.name}` keeps one"


def refer_to_keyring(environment: Environment, profile: Profile, password: str) -> str:
    """Keep a password in the keyring, have the profile refer to it, and say so. Raises DbtoolError."""
    from dbtool.profiles.changes.destinations import Where, find_holder, open_catalog
    from dbtool.profiles.changes.editing import Change, find_problems, save
    from dbtool.profiles.changes.rewriting import set_keys

    where = Where(file=str(profile.origin.file))
    catalog = open_catalog(environment, where)
    holder = find_holder(environment, catalog, profile.name, where)
    entry = f"dbtool/{profile.name}"
    text = set_keys(holder.text, profile.name, {"password": {"keyring": entry}})
    change = Change(catalog=catalog, source=holder, text=text)
    problems = find_problems(environment, change)
    if problems:
        raise ProfileError(str(problems[0]))
    keep_in_keyring(entry, password, Deadline())
    save(change)
    return f"kept in the keyring as {entry}, to which {profile.origin.file} refers"
