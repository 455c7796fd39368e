"""Which file a change goes to: the user's, the project's, or one that was named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.catalog import Catalog, check_sources, load_catalog
from dbtool.profiles.discover import PROFILE_NAME, Sources
from dbtool.profiles.files import SourceFile, parse_source, read_source
from dbtool.profiles.paths import Scope, anchor, is_inside
from dbtool.profiles.problems import suggest
from dbtool.records import Record
from dbtool.scrubbing import scrub


class Where(Record):
    """What the caller said about files: `--config`, `--file`, `--project`."""

    config: str | None = None
    file: str | None = None
    project: bool = False


def open_catalog(environment: Environment, where: Where) -> Catalog:
    """Read the files that a change is about; a file that is none of those in use here stands alone."""
    catalog = load_catalog(environment, config=where.config)
    if where.file is None:
        return catalog
    path = _anchor(environment, where.file)
    if _find_source(catalog, path) or _is_same(path, _user_file(environment)):
        return catalog
    files = (read_source(path, Scope.EXPLICIT),) if path.exists() else ()
    return check_sources(Sources(files=files), environment)


def choose_file(environment: Environment, catalog: Catalog, where: Where, *, readable: bool = True) -> SourceFile:
    """Return the file that something new is written to.

    Raises ProfileError where there is none to choose or, with `readable`, where it does not parse.
    """
    source = _choose(environment, catalog, where)
    if readable and source.error:
        place = f"{source.path}:{source.line}" if source.line else str(source.path)
        raise ProfileError(f"{place}: {source.error}: put it right with dbtool profile edit --file {source.path}")
    return source


def find_holder(environment: Environment, catalog: Catalog, name: str, where: Where) -> SourceFile:
    """Return the file that holds the profile which a name stands for. Raises ProfileError."""
    files: Iterable[SourceFile] = catalog.sources.files
    if where.file is not None:
        path = _anchor(environment, where.file)
        files = [source for source in files if _is_same(source.path, path)]
    elif where.project:
        files = [source for source in files if source.scope is Scope.PROJECT]
    files = list(files)
    holder = next((source for source in files if name in source.profiles), None)
    if holder is None:
        broken = next((f"; {source.path}:{source.line}: {source.error}" for source in files if source.error), "")
        known = [known for source in files for known in source.profiles]
        raise ProfileError(f"no profile is named {scrub(name)!r}{suggest(name, known)}{broken}")
    return _require_own(catalog, holder)


def require_free(catalog: Catalog, source: SourceFile, name: str) -> None:
    """Refuse a name that cannot be one, or that a profile of the same scope has. Raises ProfileError."""
    if not PROFILE_NAME.fullmatch(name):
        raise ProfileError(f"{scrub(name)!r} is no profile's name: a word of letters, digits, - and _")
    holder = find_namesake(catalog, source, name)
    if holder is not None:
        raise ProfileError(f"{holder.path} has a profile named {name!r} already")


def find_namesake(catalog: Catalog, source: SourceFile, name: str) -> SourceFile | None:
    """Return the file of the same scope that has a profile of this name."""
    files = (*catalog.sources.files, source)
    return next((file for file in files if file.scope is source.scope and name in file.profiles), None)


def _anchor(environment: Environment, written: str) -> Path:
    if not written:
        raise ProfileError("--file is empty: name a file")
    path = anchor(written, directory=environment.working_directory, home=environment.home)
    if path.is_dir():
        raise ProfileError(f"--file names {path}, which is a directory")
    return path


def _user_file(environment: Environment) -> Path:
    return environment.config_directory / "profiles.toml"


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _find_source(catalog: Catalog, path: Path) -> SourceFile | None:
    return next((source for source in catalog.sources.files if _is_same(source.path, path)), None)


def _make_source(path: Path, scope: Scope) -> SourceFile:
    """Return a file that need not exist yet."""
    return read_source(path, scope) if path.exists() else parse_source(path, scope, b"")


def _choose_project_file(environment: Environment, catalog: Catalog) -> SourceFile:
    """Return the project's own file: dbtool.toml, or the only one in its `profiles` directory."""
    files = [source for source in catalog.sources.files if source.scope is Scope.PROJECT]
    main = next((source for source in files if source.path.name == "dbtool.toml"), None)
    if main or len(files) == 1:
        return main or files[0]
    directory = catalog.sources.project or environment.working_directory
    if _is_same(directory, environment.home) or _is_same(environment.home.parent, directory):
        raise ProfileError(f"{directory} cannot be a project: leave --project out, and the profile is yours everywhere")
    return _make_source(directory / "dbtool.toml", Scope.PROJECT)


def _choose_named_file(catalog: Catalog, named: str) -> SourceFile:
    """Return the file that `--config` or DBTOOL_CONFIG names, or the only one in a directory."""
    files = catalog.sources.files
    if len(files) != 1:
        raise ProfileError(f"{named} holds {len(files)} files: name one of them with --file")
    return files[0]


def _choose(environment: Environment, catalog: Catalog, where: Where) -> SourceFile:
    if where.file is not None:
        path = _anchor(environment, where.file)
        scope = Scope.USER if _is_same(path, _user_file(environment)) else Scope.EXPLICIT
        return _require_own(catalog, _find_source(catalog, path) or _make_source(path, scope))
    named = where.config or environment.variables.get("DBTOOL_CONFIG")
    if named and where.project:
        raise ProfileError("--project and a named configuration exclude each other: name the file with --file")
    if where.project:
        return _require_own(catalog, _choose_project_file(environment, catalog))
    if named:
        return _choose_named_file(catalog, named)
    path = _user_file(environment)
    return _find_source(catalog, path) or _make_source(path, Scope.USER)


def _require_own(catalog: Catalog, source: SourceFile) -> SourceFile:
    """Refuse a file that an untrusted project has led out of itself. Raises ProfileError."""
    # A stranger's link may lead to a file that is not there yet, and then makes no project.
    project = catalog.sources.project or (source.path.parent if source.scope is Scope.PROJECT else None)
    if project and not catalog.sources.is_trusted(source) and not is_inside(source.path, project):
        raise ProfileError(f"{source.path} is a link to outside the project, which you have not trusted")
    return source
