"""The user's own pool: a factory in a module of theirs."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from inspect import Parameter
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from dbtool.bench.pools.recipe import BenchPool, Recipe, Subject
from dbtool.errors import UsageError, one_line

_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def find_own_pool(name: str, working_directory: Path) -> Subject:
    """Return the subject that `module:factory` names, imported from a directory; raises UsageError."""
    module_name, _, factory_name = name.partition(":")
    try:
        factory = getattr(_import_from(working_directory, module_name), factory_name)
    except (Exception, SystemExit) as error:  # a script that was not meant to be imported
        raise UsageError(f"--pool {name}: {type(error).__name__}: {one_line(str(error))}") from error
    taken = _find_taken(name, factory)
    return Subject(
        name=name,
        make=lambda recipe: _make_own(name, factory, recipe, taken),
        has_timeout="timeout" in taken,
        ages="stale_timeout" in taken,
        takes_limits="max_connections" in taken,
        opens_own="connect" not in taken,
        is_foreign=True,
    )


def _import_from(directory: Path, name: str) -> ModuleType:
    """Import the module that the user has named: an installed one, or else the one in a directory."""
    sys.meta_path.append(_OwnModules(directory, name.partition(".")[0]))
    return importlib.import_module(name)


class _OwnModules(MetaPathFinder):
    """Finds the module that was named, and what modules from there import, in a directory off the module path.

    Asked last, and for nothing else: dbtool and the libraries try imports that may fail, and what lies
    there under such a name must not run.
    """

    def __init__(self, directory: Path, named: str) -> None:
        self._path = [str(directory)]
        self._named = named
        self._found: set[str] = set()

    def find_spec(self, fullname: str, path: Sequence[str] | None, _target: object = None, /) -> ModuleSpec | None:
        """Return the place of a module that is wanted from there."""
        # What lies in a package is found by the package's own path.
        if path is not None or not (fullname == self._named or _name_importer() in self._found):
            return None
        spec = PathFinder.find_spec(fullname, self._path)
        if spec is not None:
            self._found.add(fullname)
        return spec


def _name_importer() -> str:
    """Return the top package of the module whose import statement is being run."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - Python has no other way to tell who imports
    while frame is not None:
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if frame.f_globals is not globals() and name != "importlib":
            return name
        frame = frame.f_back
    return ""


_LIMITS = ("max_connections", "timeout", "stale_timeout")
"""What a factory may take beside `connect`, by these names."""


def _find_taken(name: str, factory: Any) -> frozenset[str]:
    """Return what a factory takes of what it is offered: `connect` and limits, or nothing at all."""
    if not callable(factory):
        raise UsageError(f"--pool {name}: a {type(factory).__name__} cannot be called to make a pool")
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return frozenset({"connect", "max_connections", "timeout"})
    named = {parameter.name for parameter in signature.parameters.values() if parameter.kind in _BY_NAME}
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in signature.parameters.values())
    limits = [limit for limit in _LIMITS if limit in named or (takes_any and limit != "stale_timeout")]
    for arguments, taken in (((None,), frozenset({"connect", *limits})), ((), frozenset[str]())):
        try:
            signature.bind(*arguments, **dict.fromkeys(taken - {"connect"}))
        except TypeError:
            continue
        return taken
    raise UsageError(
        f"--pool {name}: it has to take (connect, *, max_connections, timeout), of which it may leave out either "
        "limit, or nothing"
    )


class _OwnPool:
    """The user's pool; `close` is optional there."""

    def __init__(self, pool: Any) -> None:
        self.connection = pool.connection
        self._close = getattr(pool, "close", None)
        self.closes = self._close is not None

    def close(self) -> None:
        if self._close is not None:
            self._close()


def _make_own(name: str, factory: Callable[..., Any], recipe: Recipe, taken: frozenset[str]) -> BenchPool:
    limits = {limit: getattr(recipe.pool, limit) for limit in _LIMITS if limit in taken}
    try:
        return _OwnPool(factory(recipe.open, **limits) if "connect" in taken else factory())
    except (Exception, SystemExit) as error:
        raise UsageError(f"--pool {name} made no pool: {type(error).__name__}: {one_line(str(error))}") from error
