"""How to ask a server about itself, one record for each engine family."""

from __future__ import annotations

from importlib import import_module

from dbtool.bench.servers.probe import Probe
from dbtool.dialects import DIALECTS

__all__ = ["Probe", "load_probe"]


def load_probe(engine: str) -> Probe:
    """Return the probe of an engine, a key of `dialects.DIALECTS`."""
    probe: Probe = import_module(f"{__name__}.{DIALECTS[engine].family}").PROBE
    return probe
