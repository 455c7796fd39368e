"""Keep a path's meaning when a profile in another directory inherits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbtool.profiles.model import CommandSecret, FileSecret
from dbtool.profiles.paths import MEMORY
from dbtool.profiles.schema import PROFILE_KEYS, Kind
from dbtool.profiles.validate import Setting


def relocate(key: str, setting: Setting, *, to: Path) -> Setting:
    """Return a setting that means in the directory `to` what it means in its own file's."""
    home = setting.file.parent
    if home == to or key not in PROFILE_KEYS:
        return setting
    return setting.replaced(value=_anchor_value(PROFILE_KEYS[key].kind, setting.value, home))


def _anchor_value(kind: Kind, value: Any, home: Path) -> Any:
    if kind is Kind.PATH:
        return _anchor_text(value, home)
    if isinstance(value, FileSecret):
        return FileSecret(Path(_anchor_text(str(value.path), home)))
    if isinstance(value, CommandSecret) and "/" in value.arguments[0]:
        return CommandSecret((_anchor_text(value.arguments[0], home), *value.arguments[1:]))
    return value


def _anchor_text(text: str, home: Path) -> str:
    # What a variable begins may turn out absolute, and `~/` is no directory of ours.
    return text if text == MEMORY or text.startswith(("${", "~")) else str(home / text)
