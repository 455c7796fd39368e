"""How a guard is attacked: with a script that goes on after each failure, and by a proxy that takes it away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dbtool.engines import load_engine
from dbtool.engines.engine import SessionSettings
from dbtool.errors import DbtoolError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.profiles.model import Origin, Scope, Target
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results, Wanted
from dbtool.run.session import Session
from dbtool.run.sources import Source
from tests.engines.rendering import Memory, Witness, make_runner
from tests.servers.database import DatabaseAddress

SECRET = "hunter2 is no password"
_PIECE = 1 << 16


def connect(engine_name: str, port: int, **keys: Any) -> Exception | None:
    """Connect to a server of this machine and run a query; return what went wrong, as a user is told of it."""
    common: dict[str, Any] = {"host": "127.0.0.1", "user": "u", "password": SECRET, "connect_timeout": 10.0}
    origin = Origin(Path("p.toml"), 3, Scope.USER)
    target = Target(name="it", origin=origin, port=port, **({"engine": engine_name} | common | keys))
    engine = load_engine(engine_name)
    try:
        database = engine.build_database(target, SessionSettings(), None)
        try:
            database.connect()
            database.execute_sql("select 1").fetchall()
        finally:
            database.shutdown(0.0)
    except DbtoolError as error:
        return error
    except Exception as error:
        return engine.translate_connect_error(error, target)
    return None


def attack(session: Session, script: str, *, limit: int | None = None) -> list[DbtoolError]:
    """Run a script to its end, whatever fails, as --keep-going does; return what failed."""
    witness = Witness()
    results = Results(Memory(), FORMATS["ndjson"], FormatOptions(), Wanted(limit=limit))
    source = Source(name="attack", content=script.encode("latin-1"))
    try:
        make_runner(session, results, RunOptions(keep_going=True), witness).run([source])
    except DbtoolError as error:
        return [*witness.failures, error]
    return []


@contextmanager
def replacing(database: DatabaseAddress, guard: bytes, lie: bytes) -> Iterator[int]:
    """Give the port of a proxy that sends a lie, no longer than the guard, where a client sends the guard."""
    lie = lie.ljust(len(guard))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _address = listening.accept()
                except OSError:
                    return
                server = socket.create_connection((database.host, database.port))
                for source, goal, old in ((client, server, guard), (server, client, b"")):
                    threading.Thread(target=_forward, args=(source, goal, old, lie), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _forward(source: socket.socket, goal: socket.socket, old: bytes, new: bytes) -> None:
    with goal, suppress(OSError):
        while piece := source.recv(_PIECE):
            goal.sendall(piece.replace(old, new) if old else piece)
        goal.shutdown(socket.SHUT_WR)
