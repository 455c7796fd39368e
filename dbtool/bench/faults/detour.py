"""The profile's server, reached through a proxy that can count, delay and break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbtool.bench.faults.proxy import Proxy
from dbtool.bench.trials.scene import Scene
from dbtool.profiles.model import Hop


def refuse_detour(scene: Scene) -> str | None:
    """Say why no proxy can stand before the profile's server; None where one can."""
    target = scene.target
    if scene.probe.locate is None:
        return "there is no server"
    if not scene.subject.takes_limits:
        return "its factory opens its own connections"
    if "," in (target.host or ""):
        return "the profile names several hosts"
    return None


@contextmanager
def take_detour(scene: Scene) -> Iterator[tuple[Scene, Proxy]]:
    """Make a block in which the scene's pools connect through a proxy; `refuse_detour` says whether they can."""
    if scene.probe.locate is None:
        raise LookupError("there is no server to stand before")
    with Proxy(scene.probe.locate(scene.target)) as proxy:
        hop = Hop(address=proxy.host, port=proxy.port)
        yield scene.replaced(target=scene.target.replaced(dial=hop, socket=None)), proxy
