"""Whether a profile leads to another machine, judged from its text alone: nothing here validates one."""

from __future__ import annotations

from dbtool.profiles.look import gather_settings

TYPE_CHECKING = False  # `dbtool current` stands in prompts
if TYPE_CHECKING:
    from typing import Any

    from dbtool.profiles.discover import Sources


def find_elsewhere(sources: Sources, name: str) -> str | None:
    """Return where a profile connects to if that is not this machine, as its files say it; None where it stays.

    What cannot be understood counts as elsewhere.
    """
    settings = gather_settings(sources, name)
    if settings is None:
        return "an address that cannot be read"
    url = settings.get("url")
    if url is not None:
        from dbtool.profiles.urls import parse_url  # most profiles have none, and most projects are trusted

        try:
            settings = {**parse_url(str(url), references=True), **settings}
        except ValueError:
            return "an address that cannot be read"
    host: Any = settings.get("host")
    return None if host is None or (isinstance(host, str) and is_here(host)) else str(host)


def is_here(hosts: str) -> bool:
    """Say whether a host, and each of several with commas between them, is this machine."""
    return all(is_loopback(host.strip()) for host in hosts.split(","))


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine."""
    if host.lower() in {"localhost", "localhost.localdomain", ""}:
        return True
    import ipaddress  # names are mostly names

    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
