"""Keeping a PostgreSQL session read-only: what goes before and behind each statement, and what is not sent at all."""

from __future__ import annotations

import io
from collections.abc import Iterator

import psycopg2
import psycopg2.extensions as driver

from dbtool.dialects import Dialect, Lexical
from dbtool.engines.engine import SessionSettings, guard_not_held
from dbtool.errors import GuardError
from dbtool.expressions import expression
from dbtool.profiles.model import Target
from dbtool.statements import Statement, split
from dbtool.statements.lexer import cut_into_pieces

PROOF = (
    "SELECT pg_catalog.replace(pg_catalog.concat('transaction_read_only=', "
    "pg_catalog.current_setting('transaction_read_only')), 'transaction_read_only=on', '1')::pg_catalog.int4"
)
"""Fails, and with it the message that it stands in, unless the server says that the transaction is read-only."""
_KEEPS_READ_ONLY = 160000
"""The version from which on RESET, in any of its spellings, cannot make a transaction read-write."""
_NOTHING_WRITTEN = (
    "SELECT pg_catalog.concat(CASE WHEN pg_catalog.txid_current_if_assigned() IS NULL AND NOT EXISTS "
    "(SELECT FROM pg_catalog.pg_cursors WHERE is_holdable AND creation_time OPERATOR(pg_catalog.>=) pg_catalog.now()) "
    "THEN '1' ELSE 'transaction_read_only=lifted' END)::pg_catalog.int4; "
)
"""Fails where the transaction has written, or has a cursor whose query runs when it commits."""
_FAILED_PROOF = expression('"transaction_read_only=(off|lifted)"')
_UNLIKE_ASCII = frozenset({"SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB"})
"""Client encodings in which a backslash's byte may be a part of another character."""


def check_before_commit(raw: driver.connection, settings: SessionSettings) -> bytes:
    """Return what has to succeed before a guarded transaction commits, on a server that lets the guard be lifted."""
    return _NOTHING_WRITTEN.encode() if settings.read_only and raw.server_version < _KEEPS_READ_ONLY else b""


def failed_proof(error: psycopg2.Error) -> str | None:
    """Return "off" where the guard was not seen to hold, "lifted" where it was lifted, None for any other error."""
    found = _FAILED_PROOF.search(error.diag.message_primary or "") if error.pgcode == "22P02" else None
    return found[1] if found else None


def name_failed_proof(error: psycopg2.Error, target: Target, place: str) -> GuardError | None:
    """Return the error for a guard that was not seen to hold, or was lifted; None for any other error."""
    proof = failed_proof(error)
    if proof == "off":
        return guard_not_held(target)
    if proof == "lifted":
        return GuardError(
            f"{place}the transaction has written, or would at its commit, and was rolled back - "
            "the session is read-only: see --write"
        )
    return None


def refuse_ways_out(raw: driver.connection, statement: Statement, lexical: Lexical) -> None:
    """Refuse what outlives the transaction, and what the server may not take for the one statement that it is."""
    if statement.words[:2] == ("PREPARE", "TRANSACTION"):
        raise GuardError(
            f"{statement.place()}: a read-only session prepares no transaction, whose locks outlive it: see --write"
        )
    if reason := _reads_differently(raw, statement.text, lexical):
        raise GuardError(
            f"{statement.place()}: with {reason} the server may read several statements where one stands, "
            "and the session is read-only: see --write"
        )


def _reads_differently(raw: driver.connection, text: bytes, lexical: Lexical) -> str:
    """Say what may make the server end a statement elsewhere than where the text was split."""
    # A body of statements, which only DDL has. Whether the server sees one as well, its grammar alone knows.
    if b";" in text and any(
        kind is None and b";" in text[start:end] for kind, start, end in cut_into_pieces(text, lexical)
    ):
        return "a semicolon inside a statement"
    if b"\\" in text and raw.get_parameter_status("standard_conforming_strings") != "on":
        return "a backslash while standard_conforming_strings is off"
    encoding = raw.get_parameter_status("client_encoding")
    return f"client_encoding {encoding}" if encoding in _UNLIKE_ASCII and not text.isascii() else ""


def guard_messages(raw: driver.connection, sql: str, dialect: Dialect, opening: bytes, check: bytes) -> Iterator[bytes]:
    """Return what is sent for SQL that a profile brings along: each statement alone in a transaction of its message.

    Raises GuardError for one that is a transaction's, or a way out of it.
    """
    for statement in split(io.BytesIO(sql.encode()).read, dialect, source="on_connect"):
        if dialect.controls_transaction(statement.words):
            raise GuardError(
                f"{statement.place()}: {statement.words[0]} is not sent to a session that is read-only, whose every "
                "statement has a transaction of its own: leave it out, or see --write"
            )
        refuse_ways_out(raw, statement, dialect.lexical)
        yield opening + statement.text + b"\n; " + check
