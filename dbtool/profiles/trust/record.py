"""The record of what the owner of a working copy has looked at: the exact content of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.discover import Pin, Sources
from dbtool.profiles.files import SourceFile, list_digests
from dbtool.profiles.paths import Scope
from dbtool.profiles.state import State, read_state, update_state
from dbtool.profiles.trust.referred import NOT_COVERED, References, survey
from dbtool.records import Record


class TrustPlan(Record):
    """What is about to be trusted: the content that was read, and what was trusted before."""

    project: Path | None
    files: tuple[SourceFile, ...]
    pin: Pin | None
    digests: Mapping[str, str]
    unhashed: tuple[tuple[str, str], ...]
    """What no digest can stand for, each with the reason."""
    before: Mapping[str, str] | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that hold profiles or name one."""
        return tuple(source.path for source in self.files) + ((self.pin.path,) if self.pin else ())

    @property
    def covered(self) -> tuple[str, ...]:
        """The files that the profiles refer to, a change to which asks again."""
        own = list_digests(self.project, self.files) if self.project else {}
        return tuple(
            name for name, digest in self.digests.items() if name not in own and not digest.startswith(NOT_COVERED)
        )

    @property
    def uncovered(self) -> tuple[tuple[str, str], ...]:
        """What the profiles refer to and may change unseen, each with the reason."""
        unread = [
            (name, digest.removeprefix(NOT_COVERED))
            for name, digest in self.digests.items()
            if digest.startswith(NOT_COVERED)
        ]
        return (*unread, *self.unhashed)

    @property
    def changes(self) -> tuple[tuple[str, str], ...]:
        """What has become of each file since it was trusted; nothing the first time."""
        before, now = self.before, self.digests
        if before is None:
            return ()
        words = {(True, True): "changed", (False, True): "added", (True, False): "removed"}
        return tuple(
            (words[name in before, name in now], name)
            for name in sorted({**before, **now})
            if before.get(name) != now.get(name)
        )


def plan_trust(environment: Environment, sources: Sources) -> TrustPlan:
    """Return what there is to trust here. Raises ProfileError where that is nothing."""
    files = tuple(source for source in sources.files if source.scope is Scope.PROJECT)
    pin, project = sources.pin, sources.project
    if project is None and pin is None:
        raise ProfileError(
            f"there is nothing to trust: {environment.working_directory} is in no project and under no .dbtool-profile"
        )
    references = survey(environment, project, files) if project else References(digests={}, unhashed=())
    return TrustPlan(
        project=project,
        files=files,
        pin=pin,
        digests={**references.digests, **(list_digests(project, files) if project else {})},
        unhashed=references.unhashed,
        before=read_state(environment).projects.get(str(project)),
    )


def record_trust(environment: Environment, plan: TrustPlan) -> None:
    """Record what was shown, as it was read then. Raises ProfileError where the state cannot be written."""

    def record(state: State) -> State:
        projects, pins = dict(state.projects), dict(state.pins)
        if plan.project is not None:
            projects[str(plan.project)] = plan.digests
        if plan.pin is not None:
            pins[str(plan.pin.path)] = plan.pin.digest
        return state.replaced(projects=projects, pins=pins)

    update_state(environment, record)
