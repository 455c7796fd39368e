"""What PostgreSQL says besides its results is heard with the statement that it is about."""

from __future__ import annotations

import pytest

from dbtool.engines.engine import TransactionState
from dbtool.errors import DbtoolError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results
from dbtool.run.session import Session
from dbtool.run.sources import Source
from tests.engines.rendering import Memory, Witness, execute, make_runner, open_on
from tests.servers.database import DatabaseAddress

TALKING = (
    "create function say(word text) returns text language plpgsql as $$ begin raise warning '%', word; return word;"
    " end $$"
)


def listen(session: Session, sql: str, format_name: str = "ndjson", *, keep_going: bool = False) -> list[str]:
    """Run a script; return what was heard, each statement's end among it."""
    heard: list[str] = []

    class Listener(Witness):
        def notice(self, text: str) -> None:
            heard.append(text)

        def statement_done(self, *_done: object) -> None:
            heard.append("done")

        def statement_failed(self, error: DbtoolError) -> None:
            heard.append("failed")

    results = Results(Memory(), FORMATS[format_name], FormatOptions())
    options = RunOptions(keep_going=keep_going)
    try:
        make_runner(session, results, options, Listener()).run([Source(name="test", content=sql.encode())])
    except DbtoolError:
        heard.append("ended")
    return heard


@pytest.mark.parametrize("format_name", ["csv", "ndjson", "table"])
def test_a_warning_out_of_a_query_is_heard_before_the_query_is_done(
    postgres_database: DatabaseAddress, format_name: str
) -> None:
    with open_on(postgres_database) as session:
        listen(session, TALKING)
        assert listen(session, "select say('one'); set a.b = 'c'", format_name) == ["WARNING:  one", "done", "done"]


def test_a_warning_is_heard_from_a_query_inside_a_transaction_which_stays_open(
    postgres_database: DatabaseAddress,
) -> None:
    with open_on(postgres_database) as session:
        listen(session, TALKING)
        heard = listen(session, "create table t (a int); begin; insert into t values (1); select say('in'); rollback")
        assert heard == ["done", "done", "done", "WARNING:  in", "done", "done"]
        assert session.connection.transaction is TransactionState.NONE
    assert execute(postgres_database, "select a from t") == b""


def test_a_warning_that_comes_before_an_error_is_heard_before_it(postgres_database: DatabaseAddress) -> None:
    with open_on(postgres_database) as session:
        listen(session, TALKING)
        heard = listen(session, "select say('last words'), 1 / (say('0')::int); select 1", keep_going=True)
    assert heard == ["WARNING:  last words", "WARNING:  0", "failed", "done", "ended"]


def test_a_warning_out_of_a_trigger_is_heard_from_the_copy_that_set_it_off(postgres_database: DatabaseAddress) -> None:
    trigger = (
        "create table t (a int); create function heed() returns trigger language plpgsql as $$ begin"
        " raise notice 'row %', new.a; return new; end $$;"
        " create trigger heed before insert on t for each row execute function heed()"
    )
    with open_on(postgres_database) as session:
        listen(session, trigger)
        heard = listen(session, "copy t from stdin;\n1\n2\n\\.\nset a.b = 'c'")
    assert heard == ["NOTICE:  row 1", "NOTICE:  row 2", "done", "done"]
