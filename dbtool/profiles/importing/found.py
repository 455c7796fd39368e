"""What an import finds, and the names and values that a profile file gives it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.checks.schema import POOL_KEYS, PROFILE_KEYS, KeyKind
from dbtool.profiles.checks.values import convert
from dbtool.profiles.foreign.names import (
    gather,
    pair_hosts,
    resolve_system_authorities,
    settle_address,
    translate,
)
from dbtool.profiles.references import find_fault, has_reference
from dbtool.records import Record

_NO_WORD = expression(r"[^\w-]+")
_NAME_LIMIT = 64


class LeftOut(Record):
    """One setting that a profile cannot have, and why."""

    what: str
    why: str


class Found(Record):
    """One profile as another tool describes it."""

    _concealed = frozenset({"password"})

    name: str
    place: str
    """The file and line, or what else it was read from."""
    values: Mapping[str, Any] = MappingProxyType({})
    """As a profile file spells them, without the password."""
    password: str | None = None
    """In the clear, as the other tool has it; a reference is among the values."""
    password_stays: str | None = None
    """Why the password need not be copied."""
    left_out: tuple[LeftOut, ...] = ()
    problem: str | None = None
    """Why nothing of it can be imported."""

    def keeping(self, key: str, value: Any) -> Found:
        """Return the same with one more setting."""
        return self.replaced(values={**self.values, key: value})

    def renamed(self, name: str) -> Found:
        """Return the same under another name."""
        return self.replaced(name=name)


class Gathering:
    """One profile in the making: settings are taken one by one, and those that do not fit are kept with the reason."""

    def __init__(self, *, name: str, place: str, environment: Environment, references: bool = False) -> None:
        self.name = name
        self.place = place
        self.environment = environment
        self.references = references
        """A `${VAR}` means here what it means in a profile."""
        self.values: dict[str, Any] = {}
        self.password: str | None = None
        self.left_out: list[LeftOut] = []

    def translate(self, settings: Iterable[tuple[str, Any]], names: Mapping[str, str]) -> None:
        """Take settings under another tool's names."""
        values: dict[str, Any] = {}
        called: dict[str, str] = {}
        for name, value in settings:
            try:
                said = translate(name, _spell_foreign(value), names)
            except ValueError as error:
                self.refuse(name, error)
            else:
                values |= said
                called |= dict.fromkeys((key.partition(".")[0] for key in said), name)
        try:
            values = gather(pair_hosts(settle_address(resolve_system_authorities(values))))
        except ValueError as error:
            self.leave_out("its address", str(error))
            return
        for key, text in values.items():
            self.take(called.get(key, key), key, text)

    def take(self, name: str, key: str, value: Any) -> None:
        """Take one setting as a profile's key; `name` is what the other tool calls it."""
        if key == "password":
            self._take_password(value)
            return
        if value in ("", None):
            return
        table, _, inner = key.rpartition(".")
        if table == "pool":
            self._take_pool(name, inner, value)
            return
        if key not in PROFILE_KEYS:
            self.leave_out(name, "dbtool has no such setting")
            return
        spelled = self._spell(key, value)
        try:
            convert(PROFILE_KEYS[key], spelled)
        except ValueError as error:
            self.leave_out(name, str(error))
        else:
            is_table = PROFILE_KEYS[key].kind is KeyKind.SETTINGS
            self.values[key] = {**self.values.get(key, {}), **spelled} if is_table else spelled

    def _take_pool(self, name: str, key: str, value: str) -> None:
        spelled = self._spell_as(POOL_KEYS[key].kind, value)
        try:
            convert(POOL_KEYS[key], spelled)
        except ValueError as error:
            self.leave_out(name, str(error))
        else:
            self.values["pool"] = {**self.values.get("pool", {}), key: spelled}

    def leave_out(self, what: str, why: str) -> None:
        """Say that something is not imported."""
        self.left_out.append(LeftOut(what=what, why=why))

    def refuse(self, name: str, error: ValueError) -> None:
        """Say why a setting has no meaning here, without the list of those that have."""
        unknown = "is not a setting" in str(error)
        self.leave_out(name, "dbtool has no such setting" if unknown else str(error).removeprefix(f"{name}: "))

    def finish(self, *, password_stays: str | None = None) -> Found:
        """Return what was gathered."""
        return Found(
            name=self.name,
            place=self.place,
            values=self.values,
            password=self.password,
            password_stays=password_stays,
            left_out=tuple(self.left_out),
        )

    def _take_password(self, value: str) -> None:
        if not value:
            return
        if self.references and re.fullmatch(r"(?:\$\{[A-Za-z_][A-Za-z0-9_]*\})+", value):
            self.values["password"] = value
        else:
            self.password = value

    def _spell(self, key: str, value: Any) -> Any:
        return self._spell_as(PROFILE_KEYS[key].kind, value)

    def _spell_as(self, kind: KeyKind, value: Any) -> Any:
        if kind is KeyKind.INTEGER and isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
        if isinstance(value, dict):
            return {name: self._spell_text(text) for name, text in value.items()}
        if not isinstance(value, str):
            return value
        if kind is KeyKind.DURATION:
            return f"{value}s" if value.isascii() and value.isdigit() else value
        text = self._spell_text(value)
        return self._spell_path(text) if kind is KeyKind.PATH else text

    def _spell_text(self, text: str) -> str:
        return text if self.references and not find_fault(text) else text.replace("${", "$${")

    def _spell_path(self, text: str) -> str:
        """Make a path absolute: another tool starts it at the directory that it is run in."""
        if text.startswith(("~", "@", ":memory:")) or has_reference(text):
            return text
        return str(self.environment.working_directory / text)


def _spell_foreign(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def make_name(*parts: str | None) -> str:
    """Return a profile's name made of other names."""
    joined = "-".join(part for part in parts if part)
    return _NO_WORD.sub("-", joined).strip("-_")[:_NAME_LIMIT] or "imported"


def read_text(path: Path) -> str:
    """Return a file's text. Raises ProfileError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ProfileError(f"{path} is not UTF-8 text") from None
