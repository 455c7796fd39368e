"""The user's own pool: a factory in a module of theirs."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbtool.bench.pools.recipe import BenchPool, Recipe, Subject
from dbtool.errors import UsageError, one_line


def find_own_pool(name: str, working_directory: Path) -> Subject:
    """Return the subject that `module:factory` names, imported from a directory; raises UsageError."""
    module_name, _, factory_name = name.partition(":")
    if str(working_directory) not in sys.path:
        sys.path.insert(0, str(working_directory))
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (Exception, SystemExit) as error:  # a script that was not meant to be imported
        raise UsageError(f"--pool {name}: {type(error).__name__}: {one_line(str(error))}") from error
    takes_limits = _takes_limits(name, factory)
    return Subject(
        name=name,
        make=lambda recipe: _make_own(name, factory, recipe, takes_limits=takes_limits),
        has_timeout=takes_limits,
        ages=False,
        takes_limits=takes_limits,
    )


def _takes_limits(name: str, factory: Any) -> bool:
    """Say whether a factory takes what it is offered, rather than nothing at all."""
    if not callable(factory):
        raise UsageError(f"--pool {name}: a {type(factory).__name__} cannot be called to make a pool")
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return True
    for arguments, options in (((None,), {"max_connections": 1, "timeout": 1.0}), ((), {})):
        try:
            signature.bind(*arguments, **options)
        except TypeError:
            continue
        return bool(arguments)
    raise UsageError(f"--pool {name}: it has to take (connect, *, max_connections, timeout), or nothing")


class _OwnPool:
    """The user's pool; `close` is optional there."""

    def __init__(self, pool: Any) -> None:
        self.connection = pool.connection
        self._pool = pool

    def close(self) -> None:
        close = getattr(self._pool, "close", None)
        if close is not None:
            close()


def _make_own(name: str, factory: Callable[..., Any], recipe: Recipe, *, takes_limits: bool) -> BenchPool:
    try:
        if takes_limits:
            limits = recipe.pool
            pool = factory(recipe.open, max_connections=limits.max_connections, timeout=limits.timeout)
        else:
            pool = factory()
        return _OwnPool(pool)
    except (Exception, SystemExit) as error:
        raise UsageError(f"--pool {name} made no pool: {type(error).__name__}: {one_line(str(error))}") from error
