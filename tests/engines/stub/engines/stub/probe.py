"""Its answers to pool-bench."""

from __future__ import annotations

from dbtool.engines.probe import Probe, ask_value

PROBE = Probe(
    drivers=("stubdriver",),
    identify=lambda connection: ask_value(connection, "SESSION"),
    identity="PLACE",
    canaries=(),
    server_work="WORK",
    is_direct=lambda _raw: True,
    list_sessions=lambda _connection, _tag, _known: None,
    count_free=lambda _connection: None,
    find_other=lambda _target: None,
    begin_by_itself=lambda _raw: None,
    is_in_transaction=lambda _raw: False,
)
