"""Settings under the names that other tools give them, and the profile key that each stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.encodings import UTF8
from dbtool.expressions import expression
from dbtool.profiles.problems import suggest

_FULL_CHECK = "verify-full"
_TLS_LEVELS = MappingProxyType(
    {
        **dict.fromkeys(("true", "1", "on", "yes"), "require"),
        **dict.fromkeys(("false", "0", "off", "no"), "disable"),
        "disabled": "disable",
        "preferred": "prefer",
        "required": "require",
        "verify_ca": "verify-ca",
        "verify_identity": "verify-full",
    }
)


REFUSED = {name: why for dialect in DIALECTS.values() for name, why in dialect.refused_parameters.items()}
"""The parameters of client libraries that dbtool does not pass on, and why."""
_KEYS_OF = {"search_path": "search_path", "application_name": "application_name", "client_encoding": "encoding"}
"""A server's settings that a profile has keys of their own for."""
_SWITCH = expression(r"(?:-c|--)([A-Za-z_][\w.$-]*)=(.*)", re.DOTALL)
_PLAIN_NAME = expression(r"[a-z_][a-z0-9_$]*")


def translate(name: str, value: str, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the profile keys and values that another tool's setting stands for, `libpq.NAME` for one of a table.

    Raises ValueError, without the value in its text, where dbtool has no such setting.
    """
    if name in REFUSED:
        raise ValueError(f"{name}: {REFUSED[name]}")
    key = keys.get(name)
    if key is None:
        raise ValueError(f"{name!r} is not a setting that dbtool knows here{suggest(name, keys)}")
    if key == "tls":
        return {key: translate_tls(name, value)}
    # What the locale says: dbtool speaks UTF-8 whatever that is.
    if key == "encoding" and value.lower() == "auto":
        return {key: UTF8}
    if key == "session":
        return {_KEYS_OF.get(setting, f"session.{setting}"): said for setting, said in _read_options(value)}
    if key == "search_path" and name != key:
        return {key: quote_identifier(value)}
    # libpq takes a directory of sockets for a host.
    if key == "host" and value.startswith("/"):
        return {"socket": value}
    return {key: value}


def _read_options(text: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a server's command line, as -c work_mem=64MB. Raises ValueError for anything else."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", text)]
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word = f"--{words.pop(0)}"
        found = _SWITCH.fullmatch(word)
        if found is None:
            raise ValueError("options: holds more than settings as in -c work_mem=64MB")
        yield found[1].replace("-", "_"), found[2]


def quote_identifier(name: str) -> str:
    """Return a name as PostgreSQL's lists of names take it."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def gather(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those of one table, as `session.work_mem`, in that table."""
    gathered: dict[str, Any] = {}
    for key, value in values.items():
        table, dot, name = key.partition(".")
        if dot:
            gathered.setdefault(table, {})[name] = value
        else:
            gathered[key] = value
    return gathered


def pair_hosts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which each of several hosts has its own port, where libpq has a list of both.

    Raises ValueError where they are not as many.
    """
    ports = values.get("port")
    if not isinstance(ports, str) or "," not in ports:
        return dict(values)
    hosts = str(values.get("host", "")).split(",")
    numbers = ports.split(",")
    if len(hosts) != len(numbers):
        raise ValueError("there are not as many ports as hosts")
    host = ",".join(join_host(host, number) for host, number in zip(hosts, numbers, strict=True))
    return {**{key: value for key, value in values.items() if key != "port"}, "host": host}


def settle_address(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which an address that stands alone is the host."""
    address = values.get("libpq.hostaddr")
    if address is None or "host" in values or "socket" in values:
        return dict(values)
    return {**{key: value for key, value in values.items() if key != "libpq.hostaddr"}, "host": address}


def join_host(host: str, port: str) -> str:
    """Return a host with its port behind it."""
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def translate_tls(name: str, value: str) -> str:
    """Return the TLS level that another tool's word stands for; dbtool's own name takes its own words."""
    if name == "tls":
        return value
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
