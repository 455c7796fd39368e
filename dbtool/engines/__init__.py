"""The driver half of each engine: `load_engine` imports only the module that is asked for."""

from __future__ import annotations

from importlib import import_module

from dbtool.dialects import DIALECTS
from dbtool.engines.drivers import unneeded
from dbtool.engines.engine import Engine
from dbtool.errors import ProfileError

__all__ = ["Engine", "load_engine"]


def load_engine(name: str) -> Engine:
    """Return the record of the engine called `name` (a key of DIALECTS).

    Raises ProfileError, naming the extra to install, when its driver is missing.
    """
    dialect = DIALECTS[name]
    try:
        with unneeded(dialect.unneeded):
            import_module(dialect.driver)
        module = import_module(f"dbtool.engines.{dialect.family}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("dbtool"):
            raise
        raise ProfileError(
            f"{dialect.title} needs the Python package {error.name!r}, which is not installed: pip install {error.name}"
        ) from error
    engine: Engine = module.build_engine(dialect)
    return engine
