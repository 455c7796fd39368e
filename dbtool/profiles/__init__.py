"""Connection profiles: found, checked, trusted, chosen, and resolved into what an engine opens.

Every name is loaded at its first use: `dbtool current` and completion need few of them.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # `dbtool current` and completion pay for what is imported here
if TYPE_CHECKING:
    from typing import Any

    from dbtool.profiles.active.choice import Choice, choose, explain
    from dbtool.profiles.active.rules import Rule, RuleReport, current_name
    from dbtool.profiles.catalog import Catalog, Entry, ProfileFile, load_catalog
    from dbtool.profiles.discover import list_names
    from dbtool.profiles.problems import Problem
    from dbtool.profiles.resolution import resolve
    from dbtool.profiles.state import State, Switch, read_state, update_state

__all__ = [
    "Catalog",
    "Choice",
    "Entry",
    "Problem",
    "ProfileFile",
    "Rule",
    "RuleReport",
    "State",
    "Switch",
    "choose",
    "current_name",
    "explain",
    "list_names",
    "load_catalog",
    "read_state",
    "resolve",
    "update_state",
]

_MODULES = {
    "Rule": "active.rules",
    "RuleReport": "active.rules",
    "current_name": "active.rules",
    "Catalog": "catalog",
    "Entry": "catalog",
    "ProfileFile": "catalog",
    "load_catalog": "catalog",
    "Choice": "active.choice",
    "choose": "active.choice",
    "explain": "active.choice",
    "list_names": "discover",
    "Problem": "problems",
    "resolve": "resolution",
    "State": "state",
    "Switch": "state",
    "read_state": "state",
    "update_state": "state",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
