"""Settings under the names that other tools give them, and the profile key that each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dbtool.encodings import UTF8
from dbtool.profiles.problems import suggest

_FULL_CHECK = "verify-full"
_TLS_LEVELS = MappingProxyType(
    {
        "disabled": "disable",
        "preferred": "prefer",
        "required": "require",
        "verify_ca": "verify-ca",
        "verify_identity": "verify-full",
    }
)


def translate(name: str, value: str, keys: Mapping[str, str]) -> tuple[str, str]:
    """Return the profile key and value for another tool's setting.

    Raises ValueError, without the value in its text, where dbtool has no such setting.
    """
    key = keys.get(name)
    if key is None:
        raise ValueError(f"{name!r} is not a setting that dbtool knows here{suggest(name, keys)}")
    if key == "tls":
        return key, translate_tls(name, value)
    # What the locale says: dbtool speaks UTF-8 whatever that is.
    if key == "encoding" and value.lower() == "auto":
        return key, UTF8
    # libpq takes a directory of sockets for a host.
    if key == "host" and value.startswith("/"):
        return "socket", value
    return key, value


def translate_tls(name: str, value: str) -> str:
    """Return the TLS level that another tool's word stands for."""
    if value == "allow":
        raise ValueError(f"{name}: allow is no level here, since it tries plain text first: say prefer or disable")
    return _TLS_LEVELS.get(value.lower(), value)


def resolve_system_authorities(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without `sslrootcert=system`, libpq's word for the machine's own authorities and a full check.

    Raises ValueError, as libpq does, where less than that is asked for.
    """
    if values.get("tls_ca") != "system":
        return dict(values)
    if values.get("tls", _FULL_CHECK) != _FULL_CHECK:
        raise ValueError(f"sslrootcert=system is for sslmode={_FULL_CHECK} alone")
    # Without a file of its own, a profile trusts what the machine trusts.
    return {**{key: value for key, value in values.items() if key != "tls_ca"}, "tls": _FULL_CHECK}
