"""Check the tables of one file, each by itself, and gather everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbtool.profiles.checks.schema import POOL_KEYS, PROFILE_KEYS, TOP_KEYS, Key
from dbtool.profiles.checks.values import convert
from dbtool.profiles.discover import PROFILE_NAME, Sources
from dbtool.profiles.files import SourceFile
from dbtool.profiles.foreign.urls import has_late_parts, parse_url
from dbtool.profiles.locate import locate
from dbtool.profiles.problems import Problem, suggest
from dbtool.profiles.trust.untrusted import TrustCheck
from dbtool.records import Record


class Setting(Record):
    """One key's value as the model holds it, and where it is written."""

    _concealed = frozenset({"value"})

    value: Any
    file: Path
    line: int
    owner: str
    """The profile whose table holds it."""


class Draft(Record):
    """One profile's own table: the settings that are right, and what is wrong with the others."""

    name: str
    source: SourceFile
    line: int
    trusted: bool
    settings: Mapping[str, Setting]
    """By key; a pool's are named `pool.max_connections` and so on."""
    problems: tuple[Problem, ...]


class CheckedFile(Record):
    """One file's profiles, and the problems that are not one profile's."""

    drafts: tuple[Draft, ...] = ()
    problems: tuple[Problem, ...] = ()


def check_file(source: SourceFile, sources: Sources, home: Path) -> CheckedFile:
    """Check every table of a file that parses."""
    lines = locate(source.text)
    trust = None if sources.is_trusted(source) else TrustCheck(source=source, sources=sources, home=home)
    drafts = tuple(_Checker(name, source, lines, trust).check(table) for name, table in source.profiles.items())
    return CheckedFile(drafts=drafts, problems=tuple(_check_top(source, lines)))


def _check_top(source: SourceFile, lines: Mapping[tuple[str, ...], int]) -> list[Problem]:
    found = []
    for name, value in (source.table or {}).items():
        message = None
        if name not in TOP_KEYS:
            message = f"is not a key at the top of a file{suggest(name, TOP_KEYS)}"
        elif name in {"profiles", "queries"} and not isinstance(value, dict):
            message = f"must be a table: write [{name}.NAME]"
        if message:
            line = lines.get((name,), 1)
            found.append(Problem(file=source.path, line=line, profile=None, key=name, message=message))
    return found


class _Checker:
    """The check of one profile's table."""

    def __init__(
        self, name: str, source: SourceFile, lines: Mapping[tuple[str, ...], int], trust: TrustCheck | None
    ) -> None:
        self.name = name
        self.source = source
        self.lines = lines
        self.trust = trust
        self.settings: dict[str, Setting] = {}
        self.problems: list[Problem] = []

    def check(self, table: Any) -> Draft:
        """Check the whole table."""
        if not PROFILE_NAME.fullmatch(self.name):
            self._report(None, "a profile's name is a word of letters, digits, - and _")
        if self.trust and (objection := self.trust.object_to_profile(self.name)):
            self._report(None, objection)
        if isinstance(table, dict):
            self._check_keys(table)
        else:
            self._report(None, "must be a table")
        return Draft(
            name=self.name,
            source=self.source,
            line=self._find_line(None),
            trusted=self.trust is None,
            settings=self.settings,
            problems=tuple(self.problems),
        )

    def _check_keys(self, table: Mapping[str, Any]) -> None:
        self._check_table("", table, PROFILE_KEYS)
        if "url" in table:
            self._check_url(table)
        if "host" in self.settings and "socket" in self.settings:
            self._report("socket", "stands beside host: a connection uses one of the two")

    def _check_table(self, prefix: str, table: Mapping[str, Any], keys: Mapping[str, Key]) -> None:
        for name, value in table.items():
            if name not in keys:
                self._report(prefix + name, f"is not a key that dbtool knows{suggest(name, keys)}")
            elif prefix + name != "pool":
                self._take(keys[name], value, prefix=prefix)
            elif isinstance(value, dict):
                self._check_table("pool.", value, POOL_KEYS)
            else:
                self._report(name, "must be a table: write [profiles.NAME.pool]")

    def _take(self, key: Key, value: Any, *, prefix: str = "", written_as: str | None = None) -> None:
        """Keep one value if nothing is wrong with it; `written_as` is the key whose line it stands on."""
        place = written_as or prefix + key.name
        if self.trust and (objection := self.trust.object_to_value(key, value)):
            self._report(place, objection)
            return
        try:
            converted = convert(key, value)
        except ValueError as error:
            self._report(place, str(error) if written_as is None else f"{key.name}: {error}")
            return
        self.settings[prefix + key.name] = Setting(
            value=converted, file=self.source.path, line=self._find_line(place), owner=self.name
        )

    def _check_url(self, table: Mapping[str, Any]) -> None:
        """Replace a URL by the keys that it says; one that its variables decide is kept for later."""
        setting = self.settings.pop("url", None)
        if setting is None:
            return
        for name in table:
            if name in PROFILE_KEYS and PROFILE_KEYS[name].in_url:
                self._report(name, "stands beside url: say it in one of the two")
        try:
            late = has_late_parts(setting.value)
            said = {} if setting.value.startswith("${") else parse_url(setting.value, references=True)
        except ValueError as error:
            self._report("url", str(error))
            return
        # Without a value the key still hides the late URL of a profile that this one extends.
        self.settings["url"] = setting if late else setting.replaced(value=None)
        self._take_url({"engine": said["engine"]} if late and said else said, table)

    def _take_url(self, said: Mapping[str, Any], table: Mapping[str, Any]) -> None:
        for name, value in said.items():
            if name == "engine" and table.get("engine") == value:
                continue
            if name in table and not PROFILE_KEYS[name].in_url:
                self._report(name, "contradicts url: say it in one of the two")
            elif name not in table:
                self._take(PROFILE_KEYS[name], value, written_as="url")

    def _report(self, key: str | None, message: str) -> None:
        self.problems.append(
            Problem(file=self.source.path, line=self._find_line(key), profile=self.name, key=key, message=message)
        )

    def _find_line(self, key: str | None) -> int:
        """Return a key's line, or the table header's where the key cannot be placed."""
        header = ("profiles", self.name)
        path = header + tuple(key.split(".", 1) if key else ())
        while path not in self.lines and len(path) > len(header):
            path = path[:-1]
        return self.lines.get(path, self.lines.get(("profiles",), 1))
