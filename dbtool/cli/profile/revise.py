"""What `dbtool profile set | password` do: change keys of a profile where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dbtool.cli.profile.commit import commit, note_trust, say_place
from dbtool.cli.profile.passwords import PasswordRequest, plan_password
from dbtool.cli.profile.settings import read_settings
from dbtool.cli.terminal.console import Console
from dbtool.environment import Environment
from dbtool.errors import ProfileError, UsageError
from dbtool.profiles.changes.destinations import Where, find_holder, open_catalog
from dbtool.profiles.changes.editing import Change, is_clear, relocate_paths
from dbtool.profiles.changes.rewriting import set_keys, update_profile
from dbtool.profiles.files import SourceFile
from dbtool.profiles.foreign.urls import has_late_parts, parse_url
from dbtool.records import Record

_URL = "url="


class _Revision(Record):
    """A profile that is being changed, and the files around it."""

    console: Console
    catalog: Any
    holder: SourceFile
    own: dict[str, Any]


def _open(environment: Environment, name: str, where: Where) -> _Revision:
    catalog = open_catalog(environment, where)
    holder = find_holder(environment, catalog, name, where)
    own = holder.profiles[name]
    if not isinstance(own, dict):
        raise ProfileError(f"{holder.path}: profile {name!r}: must be a table")
    return _Revision(console=Console(environment), catalog=catalog, holder=holder, own=own)


def set_settings(environment: Environment, name: str, written: Sequence[str], where: Where) -> None:
    """Set keys of a profile, and take out those that are given no value; raises DbtoolError with nothing written."""
    revision = _open(environment, name, where)
    urls = [argument for argument in written if argument.startswith(_URL)]
    named = [argument for argument in written if argument not in urls]
    gone = [argument[:-1] for argument in named if argument.endswith("=") and argument.count("=") == 1]
    for key in gone:
        if key not in revision.own:
            raise UsageError(f"{key}: profile {name!r} has no such key in {revision.holder.path}")
    values = read_settings([argument for argument in named if argument[:-1] not in gone], option="")
    for key, value in values.items():
        if isinstance(value, dict):
            values[key] = {**revision.own.get(key, {}), **value}
    values |= relocate_paths(values, home=environment.working_directory, to=revision.holder.path.parent)
    text = revision.holder.text
    if urls:
        text = update_profile(text, name, _read_url([url.removeprefix(_URL) for url in urls]))
    text = set_keys(text, name, values, gone=gone)
    _commit(environment, name, revision, text)


def change_password(environment: Environment, name: str, request: PasswordRequest, where: Where) -> None:
    """Keep a new password for a profile, in the keyring unless told otherwise; raises DbtoolError."""
    revision = _open(environment, name, where)
    wanted = PasswordRequest(keyring=True) if request.is_silent else request
    plan = plan_password(environment, revision.console, name, wanted, given=None)
    place = relocate_paths(
        {"password": plan.written}, home=environment.working_directory, to=revision.holder.path.parent
    )
    text = set_keys(revision.holder.text, name, {"password": plan.written, **place})
    change = Change(catalog=revision.catalog, source=revision.holder, text=text)
    commit(environment, revision.console, change, plan)
    kept = f"kept in the keyring as {plan.entry}; " if plan.entry is not None else ""
    revision.console.note(f"{kept}{name} finds its password there: dbtool profile check {name} tries it")
    note_trust(environment, revision.console, revision.holder, name)


def _commit(environment: Environment, name: str, revision: _Revision, text: str) -> None:
    change = Change(catalog=revision.catalog, source=revision.holder, text=text)
    commit(environment, revision.console, change)
    revision.console.note(f"changed {name} in {say_place(change, name)}")
    note_trust(environment, revision.console, revision.holder, name)


def _read_url(urls: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a URL, which says where a profile connects and nothing else. Raises UsageError."""
    if len(urls) != 1:
        raise UsageError("url is given more than once: say it once")
    try:
        if has_late_parts(urls[0]):
            return {"url": urls[0]}
        said = parse_url(urls[0], references=True)
    except ValueError as error:
        raise UsageError(f"url: {error}") from None
    if is_clear(said.get("password")):
        raise UsageError("the URL holds a password: leave it out, and keep it with dbtool profile password")
    return said
