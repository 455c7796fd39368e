"""Bring profiles together: one of a name per scope, a project's before the user's, `extends` followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.profiles.checks.schema import PROFILE_KEYS, KeyKind
from dbtool.profiles.checks.validate import Draft, Setting
from dbtool.profiles.discover import MOST_BASES
from dbtool.profiles.model import CommandSecret, FileSecret, Origin, PoolSettings, Profile
from dbtool.profiles.paths import MEMORY, Scope
from dbtool.profiles.problems import Problem, suggest
from dbtool.records import Record
from dbtool.scrubbing import scrub

_STRENGTH = (Scope.EXPLICIT, Scope.PROJECT, Scope.USER)
_ENGINE_KEYS = frozenset().union(*(dialect.keys for dialect in DIALECTS.values()))
_FEW = 200
"""Of so many profiles the nearest name is looked for."""
_TOO_DEEP = f"goes back to more than {MOST_BASES} profiles"
_EXCLUSIVE = {"host": "socket", "socket": "host"}


class Merged(Record):
    """One profile with what it extends, and all that is wrong with it."""

    draft: Draft
    settings: Mapping[str, Setting]
    problems: tuple[Problem, ...] = ()
    missing: str | None = None
    """What a profile that only serves as a base leaves out; an error once somebody opens it."""
    depth: int = 0
    """How many profiles it goes back to."""
    cause: Problem | None = None
    """What is wrong with the profile that this one, in the end, goes back to."""

    def build(self) -> Profile:
        """Return the profile of settings that have no problems."""
        values = {key: setting.value for key, setting in self.settings.items()}
        pool = {key[5:]: value for key, value in values.items() if key.startswith("pool.")}
        own = {key: value for key, value in values.items() if not key.startswith("pool.")}
        origin = Origin(self.draft.source.path, self.draft.line, self.draft.source.scope)
        return Profile(
            name=self.draft.name,
            origin=origin,
            pool=PoolSettings(**pool),
            stated=frozenset(values),
            trusted=self.draft.trusted,
            contained=not self.draft.trusted and own.get("path", MEMORY) != MEMORY,
            **own,
        )


def merge(drafts: Iterable[Draft]) -> dict[str, Merged]:
    """Return the profile that each name stands for."""
    merger = _Merger(drafts)
    names = dict.fromkeys(name for scope in _STRENGTH for name in merger.scopes.get(scope, {}))
    return {name: merger.merge(merger.find(name)) for name in names}


class _Merger:
    """Every draft by scope and name; what was merged is kept, since bases are shared."""

    def __init__(self, drafts: Iterable[Draft]) -> None:
        self.scopes: dict[Scope, dict[str, Draft]] = {}
        self.doubles: dict[tuple[Scope, str], Problem] = {}
        self.done: dict[tuple[Scope, str], Merged] = {}
        self.under_way: list[tuple[Scope, str]] = []
        for draft in drafts:
            self._add(draft)

    def _add(self, draft: Draft) -> None:
        scope = self.scopes.setdefault(draft.source.scope, {})
        first = scope.setdefault(draft.name, draft)
        if first is not draft:
            message = f"is written twice: {first.source.path}:{first.line} has one too"
            self.doubles[draft.source.scope, draft.name] = _report(draft, None, message)

    def find(self, name: str) -> Draft:
        """Return the strongest profile of a name that exists."""
        return next(self.scopes[scope][name] for scope in _STRENGTH if name in self.scopes.get(scope, {}))

    def merge(self, draft: Draft) -> Merged:
        """Return a profile with what it extends."""
        identity = (draft.source.scope, draft.name)
        if identity not in self.done:
            self.under_way.append(identity)
            self.done[identity] = self._merge(draft)
            self.under_way.pop()
        return self.done[identity]

    def _merge(self, draft: Draft) -> Merged:
        problems = list(draft.problems)
        if double := self.doubles.get((draft.source.scope, draft.name)):
            problems.append(double)
        extends = draft.settings.get("extends")
        inherited: Mapping[str, Setting] = {}
        base: Merged | str | None = None
        if extends is not None:
            base = self._inherit(draft, extends)
            fault = base if isinstance(base, str) else _object_to_base(base)
            if fault:
                problems.append(_report(draft, extends, fault, key="extends"))
            elif isinstance(base, Merged):
                inherited = base.settings
        settings = _override(inherited, draft)
        if not problems:
            problems.extend(_check_together(draft, settings, inherited))
        # What is wrong with these keys may be all that is wrong with what seems to be missing.
        unclear = {problem.key for problem in problems} & {"engine", "url", "path", "extends", None}
        missing = None if unclear else _find_missing(settings)
        own = problems[0] if problems else None
        return Merged(
            draft=draft,
            settings=settings,
            problems=tuple(problems),
            missing=missing,
            depth=base.depth + 1 if isinstance(base, Merged) else 0,
            cause=(base.cause if isinstance(base, Merged) else None) or own,
        )

    def _inherit(self, draft: Draft, extends: Setting) -> Merged | str:
        """Return the profile that is extended, or why there is none."""
        base = self._find_base(draft, extends.value)
        if isinstance(base, str):
            return base
        identity = (base.source.scope, base.name)
        if identity in self.under_way:
            circle = [name for _, name in self.under_way[self.under_way.index(identity) :]]
            return f"goes in a circle: {' -> '.join([*circle, base.name])}"
        if len(self.under_way) > 3 * MOST_BASES:  # deeper than any that is right, and not deeper than Python goes
            return _TOO_DEEP
        return self.merge(base)

    def _find_base(self, draft: Draft, name: str) -> Draft | str:
        """Return the nearest profile of a name that may be extended: a user's never extends a project's."""
        visible = [self.scopes.get(scope, {}) for scope in _STRENGTH[_STRENGTH.index(draft.source.scope) :]]
        base = next((drafts[name] for drafts in visible if name in drafts), None)
        if base is None:
            few = sum(map(len, visible)) < _FEW
            known = {other for drafts in visible for other in drafts} - {draft.name} if few else set()
            return f"no profile is named {scrub(name)!r}{suggest(name, known)}"
        if not draft.trusted and base.source.scope is not draft.source.scope:
            return (
                f"needs trust: it extends {scrub(name)!r}, which is not a profile of this project: look at the "
                "project's files, then run `dbtool profile trust` there"
            )
        return base


def _object_to_base(base: Merged) -> str | None:
    """Return why a profile may not be extended; the fault that it comes from is named once, however long the way."""
    if base.problems:
        return f"{base.draft.name!r} is not valid: {base.cause}"
    return _TOO_DEEP if base.depth >= MOST_BASES else None


def _override(inherited: Mapping[str, Setting], draft: Draft) -> dict[str, Setting]:
    """Lay a profile's own settings over those it inherits, key by key."""
    own = draft.settings
    hidden = {other for key, other in _EXCLUSIVE.items() if key in own}
    kept = {key: setting for key, setting in inherited.items() if key not in hidden and key != "extends"}
    moved = {key: relocate(key, setting, to=draft.source.path.parent) for key, setting in kept.items()}
    return {**moved, **own}


def _check_together(draft: Draft, settings: Mapping[str, Setting], inherited: Mapping[str, Setting]) -> list[Problem]:
    """Find what is wrong only once a profile and its base are one; what the base alone has wrong is its own."""
    found = []
    engine = settings.get("engine")
    for key, setting in settings.items():
        if engine and key in _ENGINE_KEYS and key not in DIALECTS[engine.value].keys:
            found.append(_report(draft, setting, f"{engine.value} has no such key", key=key))
    late = inherited.get("url")
    if late and late.value and settings["url"] is late:
        beside = [key for key in draft.settings if key in PROFILE_KEYS and PROFILE_KEYS[key].in_url]
        message = f"stands beside the url of {late.owner!r}, which variables decide: say it in one of the two"
        found.extend(_report(draft, draft.settings[key], message, key=key) for key in beside)
    limit = _get(settings, "pool.max_connections", PoolSettings().max_connections)
    if _get(settings, "pool.min_idle", 0) > limit:
        setting = settings["pool.min_idle"]
        found.append(_report(draft, setting, f"is more than max_connections, {limit}", key="pool.min_idle"))
    return found


def _find_missing(settings: Mapping[str, Setting]) -> str | None:
    engine = settings.get("engine")
    if engine is None:
        return "says no engine: add engine = or url ="
    if "path" in DIALECTS[engine.value].keys and "path" not in settings and "url" not in settings:
        return f'says no path: add path = "FILE" or path = "{MEMORY}"'
    return None


def _get(settings: Mapping[str, Setting], key: str, default: int) -> int:
    return int(settings[key].value) if key in settings else default


def _report(draft: Draft, setting: Setting | None, message: str, *, key: str | None = None) -> Problem:
    file, line = (setting.file, setting.line) if setting else (draft.source.path, draft.line)
    return Problem(file=file, line=line, profile=draft.name, key=key, message=message)


def relocate(key: str, setting: Setting, *, to: Path) -> Setting:
    """Return a setting that means in the directory `to` what it means in its own file's."""
    home = setting.file.parent
    if home == to or key not in PROFILE_KEYS:
        return setting
    return setting.replaced(value=_anchor_value(PROFILE_KEYS[key].kind, setting.value, home))


def _anchor_value(kind: KeyKind, value: Any, home: Path) -> Any:
    if kind is KeyKind.PATH:
        return _anchor_text(value, home)
    if isinstance(value, FileSecret):
        return FileSecret(Path(_anchor_text(str(value.path), home)))
    if isinstance(value, CommandSecret) and "/" in value.arguments[0]:
        return CommandSecret((_anchor_text(value.arguments[0], home), *value.arguments[1:]))
    return value


def _anchor_text(text: str, home: Path) -> str:
    # What a variable begins may turn out absolute, and `~/` is no directory of ours.
    return text if text == MEMORY or text.startswith(("${", "~")) else str(home / text)
