"""MySQL's and MariaDB's answers."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from pymysql.constants import SERVER_STATUS

from dbtool.engines.connecting import find_way
from dbtool.engines.probe import Canary, Probe, ask, ask_value, savepoint_canary, tell

_BEGIN = "START TRANSACTION"
_OTHER_DATABASE = "information_schema"
"""One that every server has, and every user may enter."""


def _identify(connection: Any) -> object:
    return ask_value(connection, "SELECT CONNECTION_ID()")


def _is_direct(raw: Any) -> bool:
    return bool(raw.thread_id() == _identify(raw))


def _list_sessions(connection: Any, tag: str, known: Collection[object]) -> set[object]:  # noqa: ARG001 - see below
    # A session's program_name stands in the performance schema, which servers are often run without.
    rows = ask(connection, "SELECT id FROM information_schema.processlist")
    return {session for (session,) in rows if session in known}


def _count_free(connection: Any) -> int:
    limit = int(ask_value(connection, "SELECT @@max_connections"))
    return limit - int(ask(connection, "SHOW STATUS LIKE 'Threads_connected'")[0][1])


def _kill(connection: Any, sessions: Collection[object]) -> int:
    killed = 0
    for session in sessions:
        # One that has ended by itself meanwhile is an error, and gone all the same.
        with suppress(Exception):
            tell(connection, f"KILL CONNECTION {int(str(session))}")
            killed += 1
    return killed


PROBE = Probe(
    drivers=("PyMySQL",),
    identify=_identify,
    identity="SELECT CONCAT_WS(' ', DATABASE(), CURRENT_USER(), @@hostname, @@port)",
    canaries=(
        savepoint_canary(_BEGIN),
        Canary(
            state="user variable",
            plant=("SET @dbtool_bench_canary = 1",),
            look="SELECT @dbtool_bench_canary IS NOT NULL",
        ),
        Canary(
            state="GET_LOCK",
            plant=("SELECT GET_LOCK('dbtool_bench_canary', 0)",),
            look="SELECT IS_USED_LOCK('dbtool_bench_canary') = CONNECTION_ID()",
        ),
        Canary(state="USE", plant=(f"USE {_OTHER_DATABASE}",), look=f"SELECT DATABASE() = '{_OTHER_DATABASE}'"),
        Canary(
            state="temporary table",
            plant=("CREATE TEMPORARY TABLE dbtool_bench_canary (id int)",),
            look="SELECT count(*) + 1 FROM dbtool_bench_canary",
        ),
        Canary(
            state="isolation level",
            plant=("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",),
            # The variable's name depends on the version.
            look="SHOW SESSION VARIABLES LIKE '%\\_isolation'",
            marker="SERIALIZABLE",
        ),
    ),
    begin=_BEGIN,
    server_work="SELECT BENCHMARK(20000, MD5('dbtool'))",
    is_direct=_is_direct,
    list_sessions=_list_sessions,
    count_free=_count_free,
    locate=lambda target: target.socket or find_way(target),
    find_other=lambda target: target.replaced(database=_OTHER_DATABASE),
    kill=_kill,
    playhouse="PooledMySQLDatabase",
    begin_by_itself=lambda raw: raw.autocommit(False),
    is_in_transaction=lambda raw: bool(raw.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS),
)
