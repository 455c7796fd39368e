"""What PostgreSQL says besides its results is heard with the statement that it is about."""

from __future__ import annotations

import pytest

from dbtool.engines.engine import SessionSettings, TransactionState
from dbtool.errors import DbtoolError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results
from dbtool.run.session import Session, open_session
from dbtool.run.sources import Source
from tests.engines.rendering import Memory, Witness, execute, make_runner, open_on, target_of
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


@pytest.mark.parametrize("format_name", ["csv", "ndjson"])
@pytest.mark.parametrize("sql", ["do $$ begin {} end $$", "select many()"])
def test_the_first_notices_of_a_talkative_statement_are_heard_and_that_there_are_more(
    postgres_database: DatabaseAddress, format_name: str, sql: str
) -> None:
    body = "for i in 1..{} loop raise notice '%', i; end loop;"
    function = "create or replace function many() returns int language plpgsql as $$ begin {} return 1; end $$"
    with open_on(postgres_database) as session:
        for count in (51, 100, 101, 5000):
            listen(session, function.format(body.format(count)))
            heard = listen(session, sql.format(body.format(count)), format_name)
            assert heard[:100] == [f"NOTICE:  {number}" for number in range(1, min(count, 100) + 1)] + (
                ["done"] if count < 100 else []
            )
            assert any("beyond the first 100 are left out" in text for text in heard) == (count > 100)
            assert len(heard) == min(count, 101) + 1


def test_a_talkative_script_is_cut_at_its_hundredth_notice(postgres_database: DatabaseAddress) -> None:
    talk = "do $$ begin for i in 1..30 loop raise notice '%', i; end loop; end $$;"
    with open_on(postgres_database) as session:
        heard = [text for text in listen(session, talk * 5) if text != "done"]
    assert heard[99] == "NOTICE:  10"
    assert "beyond the first 100" in heard[100]
    assert len(heard) == 101


def test_what_the_server_says_while_a_session_is_set_up_is_heard_with_the_first_statement(
    postgres_database: DatabaseAddress,
) -> None:
    target = target_of(postgres_database, on_connect=("do $$ begin raise warning 'welcome'; end $$",))
    session = open_session(target, SessionSettings())
    assert listen(session, "select 1") == ["WARNING:  welcome", "done"]
    session.close()
