"""What a profile says, read without checking it: how its name looks in a prompt, and whether it leads elsewhere."""

from __future__ import annotations

from dbtool.profiles.discover import MOST_BASES, Sources
from dbtool.records import Record
from dbtool.text import make_visible

TYPE_CHECKING = False  # `dbtool current` stands in prompts
if TYPE_CHECKING:
    from typing import Any

_COLOR, _PROTECTED, _EXTENDS = "color", "protected", "extends"


class Look(Record):
    """What a prompt shows besides a name."""

    color: str | None = None
    protected: bool = False


def find_look(sources: Sources, name: str) -> Look:
    """Return the look of a profile, inherited where it says nothing itself; a name without a profile has none."""
    found = gather_settings(sources, name)
    if found is None:
        return Look(protected=True)  # the profile is refused when it is used
    color = found.get(_COLOR)
    # What is not plainly false is shown as protected: the profile is refused when it is used.
    return Look(color=color if isinstance(color, str) else None, protected=found.get(_PROTECTED, False) is not False)


def gather_settings(sources: Sources, name: str) -> dict[str, object] | None:
    """Return what a profile and those that it extends say, unchecked; None where that are too many."""
    found: dict[str, object] = {}
    files, seen = list(sources.files), set[str]()
    while name not in seen:
        if len(seen) > MOST_BASES:
            return None
        seen.add(name)
        # A profile may extend one of its own scope or of a weaker one; the strongest stand first.
        start = next((number for number, file in enumerate(files) if name in file.profiles), None)
        if start is None:
            break
        scope = files[start].scope
        table = files[start].profiles[name]
        files = [file for number, file in enumerate(files) if number >= start or file.scope is scope]
        found = {**table, **found} if isinstance(table, dict) else found
        name = str(table.get(_EXTENDS, name)) if isinstance(table, dict) else name
    return found


_MOST_SHOWN = 60


def describe_briefly(sources: Sources, name: str) -> str:
    """Say in one line what a profile is and where it leads, without a user or a password."""
    settings = _lay_out(gather_settings(sources, name) or {})
    place = next((str(settings[key]) for key in ("path", "socket", "host", "service") if settings.get(key)), "")
    said = [str(settings.get("engine", "")), place + (f"/{settings['database']}" if "database" in settings else "")]
    said += ["protected"] if settings.get(_PROTECTED) is True else []
    shown = make_visible(" ".join(filter(None, said)))
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 1]}…"


def _lay_out(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a profile's settings with what its URL says among them."""
    url = settings.get("url")
    if not isinstance(url, str):
        return settings
    from dbtool.profiles.foreign.urls import parse_url  # most profiles have none

    try:
        return {**parse_url(url, references=True), **settings}
    except ValueError:
        return settings


def find_elsewhere(sources: Sources, name: str) -> str | None:
    """Return where a profile connects to if that is not this machine, as its files say it; None where it stays.

    What cannot be understood counts as elsewhere.
    """
    settings = gather_settings(sources, name)
    if settings is None:
        return "an address that cannot be read"
    url = settings.get("url")
    if url is not None:
        from dbtool.profiles.foreign.urls import parse_url  # most profiles have none, and most projects are trusted

        try:
            settings = {**parse_url(str(url), references=True), **settings}
        except ValueError:
            return "an address that cannot be read"
    host: Any = settings.get("host")
    return None if host is None or (isinstance(host, str) and is_here(host)) else str(host)


def is_here(hosts: str) -> bool:
    """Say whether a host, and each of several with commas between them, is this machine."""
    return all(is_loopback(split_host(host)[0]) for host in hosts.split(","))


def split_host(place: str) -> tuple[str, str]:
    """Return a host and the port behind it, which may be empty; an IPv6 address with a port stands in brackets."""
    place = place.strip()
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        return (host, rest[1:]) if bracket and rest[:1] in {"", ":"} else (place, "")
    host, colon, port = place.rpartition(":")
    return (host, port) if colon and ":" not in host else (place, "")


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine."""
    if host.lower() in {"localhost", "localhost.localdomain", ""}:
        return True
    import ipaddress  # names are mostly names

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    # What stands behind a % is looked up by the system, as a name if need be.
    return (mapped or address).is_loopback and "%" not in host
