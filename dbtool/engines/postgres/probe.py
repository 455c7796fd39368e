"""PostgreSQL's answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dbtool.engines.connecting import find_way
from dbtool.engines.postgres.connecting import connect_arguments
from dbtool.engines.probe import Address, Canary, Probe, ask, ask_value, savepoint_canary
from dbtool.profiles.model import Target

_LOCK = 7_164_011
"""Any number that nobody else is likely to lock."""
_IDLE = 0
"""libpq's status of a session without a transaction."""
_HOLDS_LOCK = (
    "SELECT count(*) > 0 FROM pg_catalog.pg_locks "  # noqa: S608 - a number of our own
    f"WHERE locktype = 'advisory' AND objid = {_LOCK} AND pid = pg_catalog.pg_backend_pid()"
)


def _identify(connection: Any) -> object:
    return ask_value(connection, "SELECT pg_catalog.pg_backend_pid()")


def _is_direct(raw: Any) -> bool:
    return bool(raw.is_direct)


def _list_sessions(connection: Any, tag: str, known: Collection[object]) -> set[object]:
    rows = ask(connection, "SELECT pid, application_name FROM pg_catalog.pg_stat_activity")
    return {pid for pid, name in rows if name == tag or pid in known}


def _begin_by_itself(raw: Any) -> None:
    raw.autocommit = False


def _count_free(connection: Any) -> int:
    sql = (
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')"
    )
    return int(ask_value(connection, sql))


def _kill(connection: Any, sessions: Collection[object]) -> int:
    if not sessions:
        return 0
    numbers = ", ".join(str(int(str(session))) for session in sessions)
    sql = f"SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM unnest(ARRAY[{numbers}]) AS pid"  # noqa: S608 - numbers
    return int(ask_value(connection, sql))


def _find_other(target: Target) -> Target:
    """Return one of the two databases that every server has."""
    return target.replaced(database="template1" if target.database == "postgres" else "postgres")


def _locate(target: Target) -> Address:
    host, port = find_way(target)
    if target.dial is None:
        host = dict(target.libpq).get("hostaddr", host)
    return f"{target.socket}/.s.PGSQL.{port}" if target.socket else (host, port)


PROBE = Probe(
    drivers=("psycopg2-binary", "psycopg2"),
    identify=_identify,
    identity=(
        "SELECT concat_ws(' ', current_database(), current_user, pg_catalog.inet_server_addr(),"
        " pg_catalog.inet_server_port())"
    ),
    canaries=(
        savepoint_canary("BEGIN"),
        Canary(
            state="transaction's lock",
            plant=("BEGIN", f"SELECT pg_catalog.pg_advisory_xact_lock({_LOCK})"),
            look=_HOLDS_LOCK,
            belongs_to_transaction=True,
        ),
        Canary(
            state="setting",
            plant=("SELECT pg_catalog.set_config('dbtool_bench.canary', 'planted', false)",),
            look="SELECT current_setting('dbtool_bench.canary', true) = 'planted'",
        ),
        Canary(
            state="search_path",
            plant=("SET search_path TO dbtool_bench_canary",),
            look="SHOW search_path",
            marker="dbtool_bench_canary",
        ),
        Canary(
            state="temporary table",
            plant=("CREATE TEMPORARY TABLE dbtool_bench_canary (id int)",),
            look="SELECT to_regclass('pg_temp.dbtool_bench_canary') IS NOT NULL",
        ),
        Canary(state="advisory lock", plant=(f"SELECT pg_catalog.pg_advisory_lock({_LOCK})",), look=_HOLDS_LOCK),
        Canary(
            state="prepared statement",
            plant=("PREPARE dbtool_bench_canary AS SELECT 1",),
            look="SELECT count(*) > 0 FROM pg_catalog.pg_prepared_statements WHERE name = 'dbtool_bench_canary'",
        ),
    ),
    server_work="SELECT count(*) FROM generate_series(1, 10000)",
    is_direct=_is_direct,
    list_sessions=_list_sessions,
    count_free=_count_free,
    locate=_locate,
    find_other=_find_other,
    kill=_kill,
    playhouse="PooledPostgresqlDatabase",
    psycopg_arguments=connect_arguments,
    begin_by_itself=_begin_by_itself,
    is_in_transaction=lambda raw: int(raw.info.transaction_status) != _IDLE,
)
