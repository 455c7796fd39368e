"""A connection URL as a profile: it comes apart into keys."""

from __future__ import annotations

from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.importing.found import Found, Gathering, make_name
from dbtool.profiles.references import has_reference
from dbtool.scrubbing import scrub

_KNOWN = frozenset(scheme for dialect in DIALECTS.values() for scheme in dialect.url_schemes)
_ALIASES = {"mysql2": "mysql", "sqlite3": "sqlite"}
"""What other libraries call an engine in the URLs that they share."""


def read_url(name: str, place: str, url: str, environment: Environment, *, references: bool = False) -> Found:
    """Return the profile that a URL describes; without a name, it is called after its database."""
    if references and url.startswith("${"):
        return Found(name=name or "url", place=place, values={"url": url})
    gathering = Gathering(name=name or "url", place=place, environment=environment, references=references)
    try:
        said = _parse(gathering, _adapt_scheme(url))
    except ValueError as error:
        return Found(name=gathering.name, place=place, problem=str(error))
    gathering.name = name or _name_target(said)
    for key, value in said.items():
        gathering.take(key, key, value)
    return gathering.finish()


def _adapt_scheme(url: str) -> str:
    """Return a URL without the driver in its scheme, as in postgresql+asyncpg://."""
    scheme, separator, rest = url.partition("://")
    if scheme.lower() in _KNOWN:
        return url
    engine = scheme.partition("+")[0].lower()
    return f"{_ALIASES.get(engine, engine)}{separator}{rest}" if separator else url


def _parse(gathering: Gathering, url: str) -> dict[str, Any]:
    """Take a URL apart, without the parameters that mean nothing to dbtool. Raises ValueError."""
    before, _, query = url.partition("?")
    if "@" in query:
        return parse_url(url, references=gathering.references)
    kept = []
    for parameter in filter(None, query.split("&")):
        try:
            parse_url(f"{before}?{parameter}", references=gathering.references)
        except ValueError as error:
            parse_url(before, references=gathering.references)
            # Behind a password that has an & in it, a parameter's name is a piece of it.
            name = parameter.partition("=")[0]
            gathering.refuse(name if f"{name}=" in f"{scrub(url)}=" else "a parameter", error)
        else:
            kept.append(parameter)
    said = parse_url(f"{before}?{'&'.join(kept)}", references=gathering.references)
    if has_reference(str(said.get("port", ""))):
        gathering.leave_out("port", "a variable stands for it, and a profile's port is a number")
        del said["port"]
    return said


def _name_target(said: dict[str, Any]) -> str:
    """Return a name for what a URL leads to."""
    path = str(said.get("path", "")).rpartition("/")[2].partition(".")[0]
    return make_name(str(said.get("database") or path or said.get("host") or said["engine"]))
