"""The record of what the owner of a working copy has looked at: the exact content of its files."""

from __future__ import annotations

from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.catalog import Catalog
from dbtool.profiles.discover import list_digests
from dbtool.profiles.scope import Scope
from dbtool.profiles.state import State, update_state


def trust_project(environment: Environment, catalog: Catalog) -> tuple[Path, ...]:
    """Record the content of the project's files and of the nearest pin, as they were read; return them.

    Raises ProfileError where there is nothing to trust, or the state cannot be written.
    """
    sources = catalog.sources
    files = tuple(source for source in sources.files if source.scope is Scope.PROJECT)
    pin, project = sources.pin, sources.project
    if project is None and pin is None:
        raise ProfileError(
            f"there is nothing to trust: {environment.working_directory} is in no project and under no .dbtool-profile"
        )

    def record(state: State) -> State:
        projects, pins = dict(state.projects), dict(state.pins)
        if project is not None:
            projects[str(project)] = list_digests(project, files)
        if pin is not None:
            pins[str(pin.path)] = pin.digest
        return state.replaced(projects=projects, pins=pins)

    update_state(environment, record)
    return tuple(source.path for source in files) + ((pin.path,) if pin else ())
