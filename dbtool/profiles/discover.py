"""Which files count: those named, else the project's and then the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.files import (
    ProjectReader,
    SourceFile,
    compute_digest,
    is_file,
    list_digests,
    parse_source,
    read_source,
    refuse_source,
)
from dbtool.profiles.paths import Scope, anchor, is_inside
from dbtool.profiles.state import State, read_state
from dbtool.records import Record
from dbtool.text import UNSEEN

PIN = ".dbtool-profile"
PROFILE_NAME = expression(rf"(?!.*[{UNSEEN}])\w[\w-]{{0,63}}")
"""A bare word: what has a dot, a slash or a colon is a file or a URL on the command line."""
MOST_BASES = 32
"""How many profiles one may go back to, each extending the next."""
_PIN_LIMIT = 4096


class Pin(Record):
    """The nearest `.dbtool-profile`; `name` is None where it holds no profile's name."""

    path: Path
    name: str | None
    line: int
    content: bytes

    _concealed = frozenset({"content"})

    @cached_property
    def digest(self) -> str:
        """Return what a record of trust holds for it."""
        return compute_digest(self.content)


class Sources(Record):
    """Every file that counts here, the strongest first, and whether the project's may be believed."""

    files: tuple[SourceFile, ...]
    ignored: tuple[Path, ...] = ()
    """TOML in a project's `profiles/` that is not dbtool's."""
    project: Path | None = None
    pin: Pin | None = None
    project_trusted: bool = False
    project_changed: bool = False
    """Trust was given once, for other content."""
    pin_trusted: bool = False

    def is_trusted(self, source: SourceFile) -> bool:
        """Say whether a file may hold more than literal values."""
        return source.scope is not Scope.PROJECT or self.project_trusted

    def names_in(self, scope: Scope) -> frozenset[str]:
        """Return the profiles of one scope, valid or not."""
        return frozenset(name for source in self.files if source.scope is scope for name in source.profiles)


def read_sources(
    environment: Environment, *, config: str | None = None, state: State | None = None, brief: bool = False
) -> Sources:
    """Find and read every file that counts; `brief` for a prompt, which does not wait for a project of any size.

    Raises ProfileError when a file or directory that was named is not there, and where a prompt would have to wait.
    """
    pin = find_pin(environment, config=config)
    named = _find_named(environment, config)
    if named is not None:
        return Sources(files=_read_named(named), pin=pin, pin_trusted=_is_pin_trusted(environment, pin, state, named))
    project, files, ignored = _find_project(environment, brief=brief)
    user = _read_all(_list_user_files(environment.config_directory), Scope.USER)
    if project is None:
        return Sources(files=user, pin=pin, pin_trusted=_is_pin_trusted(environment, pin, state))
    state = state or read_state(environment)
    pin_trusted = _is_pin_trusted(environment, pin, state)
    recorded = state.projects.get(str(project))
    same = _is_recorded(environment, project, files, recorded) and (pin is None or pin_trusted)
    return Sources(
        files=files + user,
        ignored=ignored,
        project=project,
        pin=pin,
        project_trusted=same or _trusts_everything(environment),
        project_changed=recorded is not None and not same,
        pin_trusted=pin_trusted,
    )


def _is_recorded(
    environment: Environment, project: Path, files: Iterable[SourceFile], recorded: Mapping[str, str] | None
) -> bool:
    """Say whether a project's files, and what they refer to, are what was trusted."""
    if recorded is None or not list_digests(project, files).items() <= recorded.items():
        return False
    # Only a trusted project has the files hashed that it refers to.
    from dbtool.profiles.trust.referred import compute_record

    return recorded == compute_record(environment, project, files)


def list_names(environment: Environment, *, config: str | None = None) -> tuple[str, ...]:
    """Return every profile's name, valid or not, as completion needs them: nothing is checked."""
    files = read_sources(environment, config=config, brief=True).files
    return tuple(dict.fromkeys(name for source in files for name in source.profiles))


def list_query_names(environment: Environment, *, config: str | None = None) -> tuple[str, ...]:
    """Return every saved query's name, as `list_names` does."""
    files = read_sources(environment, config=config, brief=True).files
    return tuple(dict.fromkeys(name for source in files for name in source.queries))


def find_pin(environment: Environment, *, config: str | None = None) -> Pin | None:
    """Return the `.dbtool-profile` of the nearest directory that has one which may be read."""
    named = _find_named(environment, config)
    for directory in _climb(environment):
        path = directory / PIN
        if not is_file(path):
            continue
        reader = ProjectReader(environment, anyones=_trusts_everything(environment) or _is_named(directory, named))
        pin = _read_pin(path, reader)
        if pin is not None:
            return pin
        environment.warn(reader.passed_over[0])
    return None


def _read_pin(path: Path, reader: ProjectReader) -> Pin | None:
    """Return what a pin says, None for one that is not read because it is somebody else's."""
    try:
        content = reader.read(path, _PIN_LIMIT)
    except OSError:
        content = b""
    if content is None:
        return None
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    written = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    number, name = written[0] if len(written) == 1 else (1, "")
    # A link to somebody's key file would have that quoted in an error, and so in a CI job's log.
    valid = PROFILE_NAME.fullmatch(name) is not None and len(content) <= _PIN_LIMIT and is_inside(path, path.parent)
    return Pin(path=path, name=name if valid else None, line=number, content=content)


def _is_pin_trusted(environment: Environment, pin: Pin | None, state: State | None, named: Path | None = None) -> bool:
    """Say whether a pin may name a profile that is not the project's."""
    if pin is None or _trusts_everything(environment):
        return pin is not None
    if _is_named(pin.path.parent, named):
        return True
    return (state or read_state(environment)).pins.get(str(pin.path)) == pin.digest


def _is_named(directory: Path, named: Path | None) -> bool:
    """Say whether a directory was named, itself or by a file in it."""
    return named is not None and str(directory) == os.path.realpath(named if named.is_dir() else named.parent)


def _trusts_everything(environment: Environment) -> bool:
    return environment.variables.get("DBTOOL_TRUST_PROJECT") == "1"


def _climb(environment: Environment) -> Iterator[Path]:
    """Yield the working directory and those above it, up to but without the home directory."""
    home = os.path.realpath(environment.home)
    start = Path(os.path.realpath(environment.working_directory))
    for directory in (start, *start.parents):
        if str(directory) == home:
            return
        yield directory


def _find_project(
    environment: Environment, *, brief: bool
) -> tuple[Path | None, tuple[SourceFile, ...], tuple[Path, ...]]:
    reader = ProjectReader(environment, anyones=_trusts_everything(environment), brief=brief)
    project: Path | None = None
    files: tuple[SourceFile, ...] = ()
    ignored: tuple[Path, ...] = ()
    for directory in _climb(environment):
        files, ignored = _read_project(directory, lambda path: _read_project_file(path, reader), reader.list_toml)
        if files:
            project = directory
            break
    if reader.passed_over:
        environment.warn(reader.passed_over[0])
    return project, files, ignored if project else ()


def _read_project_file(path: Path, reader: ProjectReader) -> SourceFile | None:
    try:
        content = reader.read(path)
    except OSError as error:
        return refuse_source(path, Scope.PROJECT, f"cannot be read: {error.strerror}")
    return None if content is None else parse_source(path, Scope.PROJECT, content)


def _list_toml(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.toml"))


def _read_project(
    directory: Path,
    read: Callable[[Path], SourceFile | None],
    list_toml: Callable[[Path], list[Path]],
) -> tuple[tuple[SourceFile, ...], tuple[Path, ...]]:
    """Return the files that make a directory a project, and the TOML beside them that does not."""
    paths = [directory / "dbtool.toml"], list_toml(directory / "profiles")
    main, others = (
        tuple(source for path in kind if is_file(path) and (source := read(path)) is not None) for kind in paths
    )
    ours = tuple(source for source in others if source.is_meant_for_dbtool)
    return main + ours, tuple(source.path for source in others if not source.is_meant_for_dbtool)


def _list_user_files(directory: Path) -> list[Path]:
    return [directory / "profiles.toml", *_list_toml(directory / "profiles.d")]


def _read_all(paths: Iterable[Path], scope: Scope) -> tuple[SourceFile, ...]:
    return tuple(read_source(path, scope) for path in paths if is_file(path))


def _find_named(environment: Environment, config: str | None) -> Path | None:
    origin = "--config" if config is not None else "DBTOOL_CONFIG"
    written = environment.variables.get("DBTOOL_CONFIG") if config is None else config
    if config is None and not written:
        return None
    if not written:
        raise ProfileError(f"{origin} is empty: name a file or a directory")
    path = anchor(written, directory=environment.working_directory, home=environment.home)
    if not path.exists():
        raise ProfileError(f"{origin} names {path}, which does not exist")
    return path


def _read_named(named: Path) -> tuple[SourceFile, ...]:
    """Read a named file, or a named directory laid out as a project, as the user's or with files of its own."""
    if not named.is_dir():
        return (read_source(named, Scope.EXPLICIT),)
    files, _ = _read_project(named, lambda path: read_source(path, Scope.EXPLICIT), _list_toml)
    files = files or _read_all(_list_user_files(named), Scope.EXPLICIT)
    if files:
        return files
    flat = _read_all(_list_toml(named), Scope.EXPLICIT)
    found = tuple(source for source in flat if source.is_meant_for_dbtool)
    if not found:
        raise ProfileError(f"{named} holds no profiles: no dbtool.toml, and no TOML file with a `profiles` table")
    return found
