"""What the engines share when they connect: the pool's arguments, and a profile's `on_connect`.

Its statements may hold secrets that no error is to show.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from dbtool.dialects import DIALECTS
from dbtool.engines.engine import SessionSettings
from dbtool.errors import one_line
from dbtool.expressions import expression
from dbtool.profiles.model import Target

TYPE_CHECKING = False  # only pools have events
if TYPE_CHECKING:
    from dbtool.pool.events import PoolEvents

_MASK = "***"
_QUOTED = expression(r"'((?:[^']|'')+)|\"((?:[^\"]|\"\")+)|\$\w*\$(.+?)(?:\$|\Z)", re.DOTALL)


def run_on_connect(
    statements: tuple[str, ...],
    execute: Callable[[str], object],
    foreign: type[Exception],
    retell: Callable[[Exception, Callable[[str], str]], Exception],
    *,
    key: str = "on_connect",
) -> None:
    """Run each statement; a driver's error (`foreign`) is raised anew, with nothing in it that was quoted there.

    `retell` makes the new error, of the old one's class, by which a pool knows whether to try again; it is
    given what masks a text.
    """
    for statement in statements:
        try:
            execute(statement)
        except foreign as error:
            raise retell(error, partial(conceal, statement, key=key)) from None


LEFT_OPEN = "on_connect left the connection in the middle of something"
"""What a driver's error says where that cannot be ended; nothing that is set afterwards may be lost with it."""


def conceal(statement: str, text: str, *, key: str = "on_connect") -> str:
    """Say where an error comes from, its text masked where it repeats what stands in quotes in the statement."""
    quoted = {part for match in _QUOTED.finditer(statement) for part in match.groups() if part and part.strip()}
    for part in sorted(quoted, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", _MASK, text)
    return f"{key}: {one_line(text)}"


def name_application(target: Target, settings: SessionSettings, *, fallback: str | None = None) -> str:
    """Return what the server shows a session as."""
    return settings.application_name or target.application_name or fallback or "dbtool"


def find_server(target: Target) -> tuple[str, int]:
    """Return the host and the port of the server that is meant, with what holds where a profile names none."""
    return target.host or "127.0.0.1", target.port or DIALECTS[target.engine].default_port or 0


def find_way(target: Target) -> tuple[str, int]:
    """Return the host and the port to dial."""
    return find_server(target) if target.dial is None else (target.dial.address, target.dial.port)


def pool_arguments(target: Target, on_connect: Callable[[Any], object], events: PoolEvents | None) -> dict[str, Any]:
    """Return what a pooled database takes beside its driver's arguments."""
    pool = target.pool
    return {
        "max_connections": pool.max_connections,
        "min_idle": pool.min_idle,
        # A profile's 0 means at once; playhouse's means for ever, and None at once.
        "timeout": pool.timeout or None,
        "stale_timeout": pool.stale_timeout or None,
        "idle_timeout": pool.idle_timeout or None,
        "reset": pool.reset.value,
        "name": target.name,
        "on_connect": on_connect,
        "events": events,
    }
