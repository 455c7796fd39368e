"""One pool per profile: building it, whichever engine the profile names."""

from __future__ import annotations

from typing import Any

from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.profiles.model import Target


def build_database(target: Target, settings: SessionSettings) -> Any:
    """Return a peewee database with a pool for `target`; nothing is connected yet."""
    return load_engine(target.engine).build_database(target, settings)
