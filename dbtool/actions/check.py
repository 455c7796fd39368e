"""Connecting to profiles to see whether they work."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dbtool.actions.access import choose_profile, refuse_stranger
from dbtool.actions.connect import Connector
from dbtool.actions.face import Face
from dbtool.engines.engine import ServerFacts, SessionSettings
from dbtool.environment import Environment
from dbtool.errors import ConnectionFailedError, DbtoolError, InterruptedByUserError, ProfileError, UsageError
from dbtool.profiles import Catalog, load_catalog
from dbtool.profiles.model import Profile
from dbtool.profiles.paths import is_mistyped_url, is_path, is_url
from dbtool.records import Record
from dbtool.run.session import Session


class Checked(Record):
    """What the check of one profile found; times in seconds."""

    name: str
    engine: str | None = None
    facts: ServerFacts | None = None
    connected_in: float | None = None
    latency: float | None = None
    problems: tuple[str, ...] = ()
    failure: DbtoolError | None = None
    """Why the profile does not work; None where it does."""


class CandidateRequest(Record):
    """Which profiles were asked for: by name or place, all of them, or those with all of some tags."""

    _concealed = frozenset({"names"})

    names: Sequence[str] = ()
    every: bool = False
    tags: Sequence[str] = ()
    config: str | None = None


def list_candidates(environment: Environment, face: Face, asked: CandidateRequest) -> list[Profile | Checked]:
    """Return a profile to connect to, or what is already known to be wrong, for each that was asked for.

    Without names, the active profile. Raises UsageError, ProfileError.
    """
    if (asked.every or asked.tags) and asked.names:
        raise UsageError("give names, or --all or --tag, not both")
    if not asked.every and not asked.tags:
        if not asked.names:
            return [choose_profile(environment, face, flag=None, config=asked.config).choice.profile]
        catalog = load_catalog(environment, config=asked.config)
        return [_find_named(environment, face, catalog, name, asked.config) for name in asked.names]
    catalog = load_catalog(environment, config=asked.config)
    if asked.tags:
        tagged = [entry.name for entry in catalog.entries() if set(asked.tags) <= set(entry.tags)]
        if not tagged:
            raise UsageError(f"no profile has the tags {', '.join(asked.tags)}")
        return [_refuse_stranger(_find(catalog, name)) for name in tagged]
    unreadable = [
        Checked(name=str(file.path), problems=(file.problem,), failure=ProfileError(file.problem))
        for file in catalog.files
        if file.problem
    ]
    # What is left out is a base: it names no engine, and nothing is wrong with it while others extend it.
    names = [entry.name for entry in catalog.entries() if entry.engine or entry.problem]
    return [*unreadable, *(_refuse_stranger(_find(catalog, name)) for name in names)]


def _find_named(
    environment: Environment, face: Face, catalog: Catalog, name: str, config: str | None
) -> Profile | Checked:
    """Return a profile by its name, or the one that a URL or a file's path stands for."""
    if is_url(name) or is_path(name) or is_mistyped_url(name):
        return choose_profile(environment, face, flag=name, config=config).choice.profile
    return _find(catalog, name)


def _refuse_stranger(candidate: Profile | Checked) -> Profile | Checked:
    """Connect to no other machine because a project that nobody trusted names it; by its name it is asked for."""
    refusal = refuse_stranger(candidate) if isinstance(candidate, Profile) else None
    if refusal is None:
        return candidate
    return Checked(name=candidate.name, engine=candidate.engine, problems=(str(refusal),), failure=refusal)


def _find(catalog: Catalog, name: str) -> Profile | Checked:
    try:
        return catalog.get(name)
    except ProfileError as error:
        if name not in catalog.names():
            raise
        problems = tuple(str(problem) for problem in catalog.problems_of(name)) or (str(error),)
        return Checked(name=name, problems=problems, failure=error)


def check(connector: Connector, candidate: Profile | Checked) -> Checked:
    """Connect to a profile and ask its server about itself; raises InterruptedByUserError alone."""
    if isinstance(candidate, Checked):
        return candidate
    profile = candidate
    started = time.monotonic()
    try:
        session = connector.open(profile, SessionSettings(read_only=profile.guarded))
        connected = time.monotonic()
        if session.target.passed_over:
            names = ", ".join(session.target.passed_over)
            connector.face.note(f"{profile.name}: passed over in {profile.option_file}: {names}")
        facts, latency = _ask_in_time(connector, session)
    except InterruptedByUserError:
        raise
    except DbtoolError as error:
        return Checked(name=profile.name, engine=profile.engine, problems=(str(error),), failure=error)
    return Checked(
        name=profile.name, engine=profile.engine, facts=facts, connected_in=connected - started, latency=latency
    )


def _ask_in_time(connector: Connector, session: Session) -> tuple[ServerFacts, float]:
    """Ask within connect_timeout: a server that lets one in and then says nothing is not reachable."""
    target, limits = session.target, connector.limits
    limit = time.monotonic() + target.connect_timeout
    is_limit_first = limits.deadline is None or limit < limits.deadline

    def too_late() -> DbtoolError:
        if not is_limit_first:
            return limits.timed_out()
        return ConnectionFailedError(
            f"profile {target.name!r}: connected, but got no answer within {target.connect_timeout:g} s", transient=True
        )

    return connector.worker.call(
        lambda: _ask(session), deadline=limit if is_limit_first else limits.deadline, timed_out=too_late
    )


def _ask(session: Session) -> tuple[ServerFacts, float]:
    """Ask the server about itself, and time the second of two round trips."""
    try:
        session.connection.facts()
        started = time.monotonic()
        facts = session.connection.facts()
        return facts, time.monotonic() - started
    finally:
        session.close()
