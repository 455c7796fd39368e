"""A connection URL as a profile: it comes apart into keys."""

from __future__ import annotations

from typing import Any

from dbtool.environment import Environment
from dbtool.profiles.foreign.urls import parse_url
from dbtool.profiles.importing.found import Found, Gathering, make_name
from dbtool.profiles.paths import is_connection_string
from dbtool.profiles.references import has_reference
from dbtool.scrubbing import scrub

_FRAMEWORKS = {
    **dict.fromkeys(("pool_size", "connection_limit", "pool", "maximumPoolSize"), "pool.max_connections"),
    "pool_timeout": "pool.timeout",
    "pool_recycle": "pool.stale_timeout",
    "loginTimeout": "connect_timeout",
}
"""Settings of frameworks that mean something here, and the key of each."""


def read_url(name: str, place: str, url: str, environment: Environment, *, references: bool = False) -> Found:
    """Return the profile that a URL describes; without a name, it is called after its database."""
    if references and url.startswith("${"):
        return Found(name=name or "url", place=place, values={"url": url})
    gathering = Gathering(name=name or "url", place=place, environment=environment, references=references)
    try:
        said = _parse(gathering, url)
    except ValueError as error:
        return Found(name=gathering.name, place=place, problem=str(error))
    gathering.name = name or _name_target(said)
    for key, value in said.items():
        gathering.take(key, key, value)
    return gathering.finish()


def _parse(gathering: Gathering, url: str) -> dict[str, Any]:
    """Take a URL apart, without the parameters that mean nothing to dbtool. Raises ValueError."""
    before, _, query = url.partition("?")
    if "@" in query or is_connection_string(url):
        return parse_url(url, references=gathering.references)
    kept = []
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        if name in _FRAMEWORKS:
            gathering.take(name, _FRAMEWORKS[name], value)
            continue
        # A list of ports is right with its hosts alone.
        if name in {"host", "hostaddr", "port"}:
            kept.append(parameter)
            continue
        try:
            parse_url(f"{before}?{parameter}", references=gathering.references)
        except ValueError as error:
            parse_url(before, references=gathering.references)
            # Behind a password that has an & in it, a parameter's name is a piece of it.
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
