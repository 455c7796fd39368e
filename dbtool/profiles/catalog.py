"""All profiles that can be seen from here, each valid or with what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.checks.validate import CheckedFile, check_file
from dbtool.profiles.discover import Sources, read_sources
from dbtool.profiles.files import SourceFile
from dbtool.profiles.merge import Merged, merge
from dbtool.profiles.model import Origin, Profile
from dbtool.profiles.paths import Scope
from dbtool.profiles.problems import Problem, suggest
from dbtool.profiles.state import State
from dbtool.records import Record
from dbtool.scrubbing import scrub

TYPE_CHECKING = False  # `dbtool current` reads profiles too
if TYPE_CHECKING:
    from dbtool.profiles.queries import SavedQuery


class ProfileFile(Record):
    """One file that was read; `problem` says why nothing in it can be used."""

    path: Path
    scope: Scope
    profiles: int
    trusted: bool
    problem: str | None = None


class Entry(Record):
    """One row of `profile list`; a base that is not meant to be opened may have no engine."""

    name: str
    engine: str | None
    where: str
    origin: Origin
    protected: bool
    tags: tuple[str, ...] = ()
    color: str | None = None
    problem: str | None = None


class Catalog:
    """What the files say, read once; a mistake in one profile is kept until somebody asks for that profile."""

    def __init__(self, sources: Sources, checked: dict[Path, CheckedFile]) -> None:
        self.sources = sources
        self._checked = checked
        self._merged = merge(draft for file in checked.values() for draft in file.drafts)

    @property
    def files(self) -> tuple[ProfileFile, ...]:
        """Every file that counts, the strongest first."""
        return tuple(self._describe(source) for source in self.sources.files)

    @property
    def ignored(self) -> tuple[Path, ...]:
        """TOML beside a project's profiles that is not dbtool's."""
        return self.sources.ignored

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong anywhere, by file and line."""
        found = [problem for source in self.sources.files for problem in self._list_file_problems(source)]
        found += [problem for merged in self._merged.values() for problem in self._list_problems(merged)]
        found += [query.problem for query in self.queries.values() if query.problem]
        order = [source.path for source in self.sources.files]
        return tuple(sorted(dict.fromkeys(found), key=lambda problem: (order.index(problem.file), problem.line)))

    def names(self) -> tuple[str, ...]:
        """Return every profile's name, valid or not."""
        return tuple(self._merged)

    def get(self, name: str) -> Profile:
        """Return a valid profile. Raises ProfileError for one that is unknown or has problems."""
        merged = self._merged.get(name)
        if merged is None:
            raise ProfileError(
                f"no profile is named {scrub(name)!r}{suggest(name, self._merged)}{self._mention_broken()}"
            )
        problems = self.problems_of(name)
        if problems:
            first, *others = problems
            more = f" (and {len(others)} more: dbtool profile check {name})" if others else ""
            raise ProfileError(f"{first}{more}")
        return merged.build()

    def problems_of(self, name: str) -> tuple[Problem, ...]:
        """Return everything that keeps one profile from being used, empty for a valid one."""
        merged = self._merged[name]
        return merged.problems + _report_missing(merged)

    @cached_property
    def queries(self) -> Mapping[str, SavedQuery]:
        """The saved query that each name stands for, valid or not."""
        from dbtool.profiles.queries import list_queries  # few commands ask for them

        return {query.name: query for query in list_queries(self.sources)}

    def get_query(self, name: str) -> SavedQuery:
        """Return a query that may be run. Raises ProfileError for one that is unknown, has problems or needs trust."""
        self.require_readable()
        query = self.queries.get(name)
        if query is None:
            ways = suggest(name, self.queries) or ("; dbtool run lists them" if self.queries else "; there is none yet")
            file = f" (dbtool query -f {scrub(name)} runs a file)" if name.endswith(".sql") else ""
            raise ProfileError(f"no saved query is named {scrub(name)!r}{ways}{file}")
        if query.problem is not None:
            raise ProfileError(str(query.problem))
        return query

    def entries(self) -> tuple[Entry, ...]:
        """Return every profile for a listing."""
        return tuple(self._list_entry(merged) for merged in self._merged.values())

    def require_readable(self) -> None:
        """Refuse to go on while a file cannot be read as it is meant. Raises ProfileError."""
        for source in self.sources.files:
            problems = self._list_file_problems(source)
            if problems:
                raise ProfileError(str(problems[0]))

    def _list_file_problems(self, source: SourceFile) -> tuple[Problem, ...]:
        if source.error:
            return (Problem(file=source.path, line=source.line, profile=None, key=None, message=source.error),)
        return self._checked[source.path].problems

    def _list_problems(self, merged: Merged) -> tuple[Problem, ...]:
        """Return a profile's problems; a base that others extend need not be one that can be opened."""
        return merged.problems + (() if merged.draft.name in self._bases else _report_missing(merged))

    @cached_property
    def _bases(self) -> frozenset[str]:
        settings = (merged.draft.settings.get("extends") for merged in self._merged.values())
        return frozenset(setting.value for setting in settings if setting)

    def _describe(self, source: SourceFile) -> ProfileFile:
        problems = self._list_file_problems(source)
        return ProfileFile(
            path=source.path,
            scope=source.scope,
            profiles=len(source.profiles),
            trusted=self.sources.is_trusted(source),
            problem=str(problems[0]) if problems else None,
        )

    def _list_entry(self, merged: Merged) -> Entry:
        values = {key: setting.value for key, setting in merged.settings.items()}
        problems = self._list_problems(merged)
        return Entry(
            name=merged.draft.name,
            engine=values.get("engine"),
            where=_say_where(values),
            origin=Origin(merged.draft.source.path, merged.draft.line, merged.draft.source.scope),
            protected=values.get("protected", False),
            tags=values.get("tags", ()),
            color=values.get("color"),
            problem=str(problems[0]) if problems else None,
        )

    def _mention_broken(self) -> str:
        broken = next((source for source in self.sources.files if source.error), None)
        return f"; {broken.path} cannot be used and may hold it: {broken.error}" if broken else ""


def load_catalog(environment: Environment, *, config: str | None = None, state: State | None = None) -> Catalog:
    """Read and check every profile that can be seen from here; what is wrong with one is kept, not raised.

    Raises ProfileError when a file or directory that was named does not exist.
    """
    return check_sources(read_sources(environment, config=config, state=state), environment)


def check_sources(sources: Sources, environment: Environment) -> Catalog:
    """Check every profile in files that were read."""
    readable = (source for source in sources.files if source.table is not None)
    return Catalog(sources, {source.path: check_file(source, sources, environment.home) for source in readable})


def _say_where(values: dict[str, object]) -> str:
    """Say where a database is, without a user or a password."""
    if "path" in values:
        return str(values["path"])
    if values.get("url"):
        return "url"
    place = str(values.get("socket") or values.get("host") or values.get("service") or values.get("option_file") or "")
    port = f":{values['port']}" if "port" in values else ""
    return f"{place}{port}" + (f"/{values['database']}" if "database" in values else "")


def _report_missing(merged: Merged) -> tuple[Problem, ...]:
    draft, missing = merged.draft, merged.missing
    if missing is None:
        return ()
    return (Problem(file=draft.source.path, line=draft.line, profile=draft.name, key=None, message=missing),)
