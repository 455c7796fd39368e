"""The engine that speaks to nothing, as far as it is known without its driver."""

from __future__ import annotations

from types import MappingProxyType

from dbtool.dialects.base import OWN_PARAMETERS, SERVER_KEYS, Dialect, Lexical, phrases

STUB = Dialect(
    name="stub",
    title="Stub",
    family="stub",
    driver="stubdriver",
    pooled="PooledStubDatabase",
    pooled_drivers=("stubdriver",),
    lexical=Lexical(client="stubsh"),
    url_schemes=("stub",),
    default_port=7,
    keys=SERVER_KEYS,
    url_parameters=MappingProxyType(OWN_PARAMETERS),
    transaction_control=phrases("BEGIN, COMMIT, ROLLBACK"),
)
