"""usql's config.yaml: its named connections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dbtool.dialects import DIALECTS
from dbtool.environment import Environment
from dbtool.errors import ProfileError
from dbtool.profiles.importing.found import Found, make_name, read_text
from dbtool.profiles.importing.url import read_url

_SCHEMES = {name: dialect.name for dialect in DIALECTS.values() for name in dialect.known_as.get("usql", ())}
"""usql's names for what dbtool speaks to."""
_FIELDS = {
    "scheme": ("protocol", "proto", "driver", "scheme"),
    "user": ("username", "user"),
    "password": ("password", "pass"),
    "host": ("hostname", "host"),
    "port": ("port",),
    "database": ("database", "dbname", "instance"),
    "path": ("file", "path"),
    "options": ("options", "opts", "params"),
}
"""The names under which a connection may say each part."""


def list_files(environment: Environment) -> list[Path]:
    """Return where usql keeps its configuration."""
    return [environment.config_directory.parent / "usql" / "config.yaml"]


def read(path: Path, environment: Environment) -> Iterator[Found]:
    """Yield every connection. Raises ProfileError."""
    connections = _parse(path).get("connections")
    if not isinstance(connections, dict):
        return
    for name, written in connections.items():
        url = _find_url(written)
        scheme = re.split(r"[:+]", url)[0].lower()
        if not url:
            yield Found(name=make_name(str(name)), place=str(path), problem="is no URL, and no table of its parts")
        elif scheme not in _SCHEMES:
            # What has no scheme may be half of a password: it is not quoted.
            reason = (
                f"dbtool does not speak to {scheme}" if re.fullmatch(r"[a-z0-9]{2,20}", scheme) else "has no scheme"
            )
            yield Found(name=make_name(str(name)), place=str(path), problem=reason)
        else:
            yield read_url(make_name(str(name)), str(path), _adapt(url, _SCHEMES[scheme]), environment)


def _parse(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        place = f"{path}:{line + 1}" if line is not None else str(path)
        raise ProfileError(f"{place}: is not YAML: {getattr(error, 'problem', None) or 'cannot be read'}") from None
    except (RecursionError, ValueError):  # the second is Python's, of a number of thousands of digits
        raise ProfileError(f"{path}: nests too deeply, or holds a number that is too long") from None
    return document if isinstance(document, dict) else {}


def _find_url(written: Any) -> str:
    if isinstance(written, str):
        return written
    if not isinstance(written, dict):
        return ""
    parts = {part: next((written[key] for key in keys if key in written), None) for part, keys in _FIELDS.items()}
    scheme = str(parts["scheme"] or ("sqlite" if parts["path"] else ""))
    if scheme in _SCHEMES and _is_file(_SCHEMES[scheme]):
        return f"{scheme}:{quote(str(parts['path'] or parts['database'] or ''))}"
    user = quote(str(parts["user"] or ""), safe="")
    password = f":{quote(str(parts['password']), safe='')}" if parts["password"] else ""
    port = f":{parts['port']}" if parts["port"] else ""
    database = quote(str(parts["database"] or ""), safe="")
    options = parts["options"] if isinstance(parts["options"], dict) else {}
    query = "&".join(f"{quote(str(key))}={quote(str(value), safe='')}" for key, value in options.items())
    access = f"{user}{password}@" if user or password else ""
    return f"{scheme}://{access}{parts['host'] or ''}{port}/{database}" + (f"?{query}" if query else "")


def _is_file(engine: str) -> bool:
    return "path" in DIALECTS[engine].keys


def _adapt(url: str, engine: str) -> str:
    """Return a URL as dbtool writes it: usql leaves out slashes before a file, and names schemes of its own."""
    rest = url.partition(":")[2]
    if _is_file(engine):
        return f"{engine}:///{rest.removeprefix('//')}"
    return f"{engine}:{rest}"
