"""Settings under the names that other tools give them, and the profile key that each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dbtool.profiles.problems import suggest

LIBPQ_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "host": "host",
        "hostaddr": "host",
        "port": "port",
        "dbname": "database",
        "user": "user",
        "password": "password",
        "sslmode": "tls",
        "sslrootcert": "tls_ca",
        "sslcert": "tls_cert",
        "sslkey": "tls_key",
        "connect_timeout": "connect_timeout",
        "target_session_attrs": "target_session_attrs",
    }
)
"""libpq's connection parameters that a profile has a key for."""

MYSQL_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "host": "host",
        "port": "port",
        "database": "database",
        "user": "user",
        "password": "password",
        "socket": "socket",
        "ssl-mode": "tls",
        "ssl-ca": "tls_ca",
        "ssl-cert": "tls_cert",
        "ssl-key": "tls_key",
        "connect-timeout": "connect_timeout",
    }
)
"""The options of MySQL's client programs that a profile has a key for."""

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
    # libpq takes a directory of sockets for a host.
    if key == "host" and value.startswith("/"):
        return "socket", value
    return key, value


def translate_tls(name: str, value: str) -> str:
    """Return the TLS level that another tool's word stands for."""
    if value == "allow":
        raise ValueError(f"{name}: allow is no level here, since it tries plain text first: say prefer or disable")
    return _TLS_LEVELS.get(value.lower(), value)
