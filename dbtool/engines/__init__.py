"""The driver half of each engine: only the modules of the one that is asked for are imported."""

from __future__ import annotations

from importlib import import_module

from dbtool.dialects import DIALECTS
from dbtool.engines.drivers import unneeded
from dbtool.engines.engine import Engine
from dbtool.errors import ProfileError

TYPE_CHECKING = False  # queries do without both
if TYPE_CHECKING:
    from dbtool.engines.catalog import Catalog
    from dbtool.engines.probe import Probe

__all__ = ["Engine", "load_catalog", "load_engine", "load_probe"]


def load_engine(name: str) -> Engine:
    """Return the record of the engine called `name` (a key of DIALECTS).

    Raises ProfileError, naming the package to install, when its driver is missing.
    """
    dialect = DIALECTS[name]
    try:
        with unneeded(dialect.unneeded):
            import_module(dialect.driver)
        module = import_module(f"dbtool.engines.{dialect.family}.connection")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("dbtool"):
            raise
        raise ProfileError(
            f"{dialect.title} needs the Python package {error.name!r}, which is not installed: pip install {error.name}"
        ) from error
    engine: Engine = module.build_engine(dialect)
    return engine


def load_probe(name: str) -> Probe:
    """Return the questions that `pool-bench` asks a server of the engine called `name` (a key of DIALECTS).

    Raises ProfileError when its driver is missing.
    """
    load_engine(name)
    probe: Probe = import_module(f"dbtool.engines.{DIALECTS[name].family}.probe").PROBE
    return probe


def load_catalog(name: str) -> Catalog:
    """Return how the catalogue of the engine called `name` (a key of DIALECTS) is asked."""
    catalog: Catalog = import_module(f"dbtool.engines.{DIALECTS[name].family}.catalog").CATALOG
    return catalog
