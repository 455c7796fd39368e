"""MySQL and MariaDB: a failure that takes the transaction along ends what was to be one transaction."""

from __future__ import annotations

import threading
import time

import pytest

from dbtool.engines.engine import Outcome
from dbtool.errors import QueryError
from dbtool.formats import FORMATS, FormatOptions
from dbtool.run.checking import RunOptions
from dbtool.run.results import Results
from dbtool.run.sources import from_arguments
from dbtool.statements import Statement
from tests.cli.watching import eventually
from tests.engines.rendering import Memory, Witness, execute, make_runner, open_on
from tests.servers.database import DatabaseAddress, count_up

WAITING = "select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"


class Rival(Witness):
    """Waits for the row that the script's first statement has locked, while holding the one that its second wants."""

    def __init__(self, database: DatabaseAddress) -> None:
        super().__init__()
        self._database = database
        self._holds = threading.Event()
        self._may_go = threading.Event()
        self._thread = threading.Thread(target=self._cross)
        self._thread.start()
        assert self._holds.wait(20)

    def _cross(self) -> None:
        with open_on(self._database) as session:
            # Much to undo, so that the server takes the other side for its victim.
            cursor = session.connection._raw.cursor()  # type: ignore[attr-defined]
            for sql in (
                "begin",
                f"insert into bulk select seq from {count_up(1000)}",
                "update t set a = 20 where id = 2",
            ):
                cursor.execute(sql)
            self._holds.set()
            assert self._may_go.wait(20)
            cursor.execute("update t set a = 10 where id = 1")

    def statement_done(self, statement: Statement, outcome: Outcome, seconds: float) -> None:
        if not self._may_go.is_set():
            self._may_go.set()
            eventually(self._waits)

    def _waits(self) -> bool:
        # InnoDB looks at its locks anew only where nobody has asked for 0.1 s.
        time.sleep(0.15)
        return execute(self._database, WAITING) != b"0\n"

    def leave(self) -> None:
        self._thread.join(20)


@pytest.mark.parametrize(
    "options",
    [RunOptions(keep_going=True, dry_run=True), RunOptions(keep_going=True, single_transaction=True)],
    ids=["dry run", "single transaction"],
)
def test_nothing_runs_on_behind_a_deadlock_that_has_undone_the_one_transaction(
    options: RunOptions, mariadb_database: DatabaseAddress
) -> None:
    execute(mariadb_database, "create table t (id int primary key, a int); insert into t values (1, 0), (2, 0)")
    execute(mariadb_database, "create table bulk (a int)")
    rival = Rival(mariadb_database)
    script = "update t set a = 1 where id = 1; update t set a = 2 where id = 2; insert into t values (3, 3)"
    results = Results(Memory(), FORMATS["csv"], FormatOptions())
    try:
        with open_on(mariadb_database) as session, pytest.raises(QueryError, match="1213"):
            make_runner(session, results, options, rival).run(from_arguments([script]))
    finally:
        rival.leave()
    assert execute(mariadb_database, "select id from t where a in (1, 2, 3)") == b""


def test_an_error_that_undoes_only_its_statement_leaves_the_transaction_open(mariadb_database: DatabaseAddress) -> None:
    script = "insert into t values (1); select * from nowhere; insert into t values (1), (1, 1); select a from t"
    execute(mariadb_database, "create table t (a int)")
    witness, output = Witness(), Memory()
    results = Results(output, FORMATS["value"], FormatOptions())
    with open_on(mariadb_database) as session, pytest.raises(QueryError, match=r"^2 statements failed"):
        make_runner(session, results, RunOptions(keep_going=True, dry_run=True), witness).run(from_arguments([script]))
    assert bytes(output.data or b"") == b"1\n"
    assert execute(mariadb_database, "select a from t") == b""
