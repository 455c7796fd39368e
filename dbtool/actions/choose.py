"""The profile that an action is to use."""

from __future__ import annotations

from dbtool.actions.face import Face
from dbtool.environment import Environment
from dbtool.profiles import Catalog, Choice, choose, load_catalog, read_state
from dbtool.profiles.elsewhere import is_here
from dbtool.records import Record


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
    host = choice.profile.host
    if host is not None and not is_here(host):
        if choice.password_in_argument:
            face.warn("a password in an argument can be seen by other users of this machine: put it into a profile")
        if not choice.profile.trusted:
            face.warn(f"connecting to {host}: so says {choice.profile.origin}, a project that you have not trusted")
    return Chosen(catalog, choice)
