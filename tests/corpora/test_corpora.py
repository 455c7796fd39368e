"""The runner of corpora is itself tried on small ones, and on differences that are planted."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.corpora.__main__ import CLIENTS, Pair, list_scripts, open_pair, run_corpus
from tests.corpora.debian import extract_mysqltest, extract_psql, extract_tcl
from tests.corpora.known import Known, read_known
from tests.corpora.outcomes import Outcome, compare

_SMALL = Path(__file__).with_name("small")


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Pair]]:
    """The pairs that have been asked for, each opened once."""

    class Opened(dict[str, Pair]):
        def __missing__(self, client: str) -> Pair:
            self[client] = stack.enter_context(open_pair(client))
            return self[client]

    with ExitStack() as stack:
        yield Opened()


def marked() -> list[object]:
    marks = {"psql": [pytest.mark.postgres], "mariadb": [pytest.mark.mysql], "sqlite3": []}
    return [pytest.param(client, marks=marks[client]) for client in CLIENTS]


@pytest.mark.parametrize("client", marked())
def test_small_scripts_do_the_same(client: str, pairs: dict[str, Pair]) -> None:
    out = io.StringIO()
    scripts = list_scripts([_SMALL / client])
    counts = run_corpus(pairs[client], scripts, [], out)
    assert counts == {"same": len(scripts)}, out.getvalue()
    assert out.getvalue() == f"{client}: 1 files: 1 same, 0 known, 0 different, 0 left out\n"


_BASE = "create table t (i int);\ninsert into t values (1);\nselect i from t;\nselect nothing from t;\n"
PLANTED = {
    "a statement that is left out": (_BASE.replace("select i from t;\n", ""), {"statements", "rows", "errors"}),
    "a statement more": (_BASE + "select i from t where i > 1;", {"statements"}),
    "a statement that is sent otherwise": (_BASE.replace("select i", "select  i"), {"statements"}),
    "another value": (_BASE.replace("select i from t", "select i + 1 from t"), {"statements", "rows"}),
    "an error that is none": (_BASE.replace("nothing", "i, i"), {"statements", "rows", "errors"}),
    "another error": (_BASE.replace("nothing", "naught"), {"errors"}),
    "an error elsewhere": (_BASE.replace("select nothing", "\n\nselect nothing"), {"errors"}),
    "another row in the end": (_BASE.replace("(1)", "(1), (2)").replace("t;", "t where i = 1;"), {"dump"}),
    "a command that is refused": (_BASE + ".shell ls\n\\! ls\n", {"refused"}),
}
_ALL = _BASE.replace("(1)", "(1), (2)").replace("select i", "select i, i").replace("nothing", "naught")
PLANTED_AT_SERVERS = {
    "all at once": (_ALL, {"statements", "rows", "errors", "dump"}),
    "a command that is refused": PLANTED["a command that is refused"],
}


@pytest.mark.parametrize("client", marked())
def test_every_kind_of_difference_is_noticed(client: str, pairs: dict[str, Pair], tmp_path: Path) -> None:
    pair = pairs[client]
    (tmp_path / "script.sql").write_text(_BASE)
    native = pair.run_native(tmp_path / "script.sql")
    assert [failure.line for failure in native.failures] == [4]
    for title, (script, kinds) in (PLANTED if client == "sqlite3" else PLANTED_AT_SERVERS).items():
        (tmp_path / "script.sql").write_text(script)
        found = {each.kind for each in compare(native, pair.run_ours(tmp_path / "script.sql"), pair.is_own)}
        assert found >= kinds, (title, found)
        assert "dump" not in found or "dump" in kinds, title


class Imagined:
    """Two clients of which one says something else."""

    name = "imagined"

    def run_native(self, script: Path) -> Outcome:
        return Outcome(statements=["a"], rows=[("1",)], failures=[], dump=[])

    def run_ours(self, script: Path) -> Outcome:
        rows = [("2",)] if script.name == "two.sql" else [("1",)]
        return Outcome(statements=["a"], rows=rows, failures=[], dump=[])

    def is_own(self, statement: str) -> bool:
        return False


def test_a_known_difference_is_counted_and_a_new_one_is_told() -> None:
    scripts = [Path("one.sql"), Path("two.sql")]
    out = io.StringIO()
    assert run_corpus(Imagined(), scripts, [], out) == {"same": 1, "different": 1}
    assert "two.sql: rows: native: ('1',) | dbtool: ('2',)\n" in out.getvalue()
    known = Known(
        clients=["imagined"],
        kinds=["rows"],
        file=re.compile("two.*"),
        text=re.compile("dbtool: .'2'"),
        reason="it counts on",
    )
    assert run_corpus(Imagined(), scripts, [known], out) == {"same": 1, "known": 1}
    assert "  1 with a known difference: it counts on\n" in out.getvalue()


def test_the_table_of_known_differences_gives_reasons() -> None:
    for entry in read_known():
        assert entry.reason
        assert set(entry.kinds) <= {"statements", "rows", "errors", "dump", "refused"}
        assert set(entry.clients) <= {*CLIENTS, "mysql"}


_PSQL = r"""\set place :dir '/x'
select :'place' \gset
copy t from stdin;
\N	x;
\.
copy t (gone) from stdin;
select 1 \gx
\if true
select 2;
\endif
"""
_MYSQLTEST = """# a comment; of theirs
--disable_warnings
drop table if exists t;
let $x= 1;
eval select $x;
error 1064;
selekt '; #';
if (1)
{
  select 'inside';
}
delimiter |;
create procedure p() begin select 1; end|
delimiter ;|
select 2;
"""
_TCL = """execsql {CREATE TABLE t(a)}
do_execsql_test x-1 { INSERT INTO t VALUES('{}'); } {}
execsql "SELECT $nothing"
do_catchsql_test x-2 {SELECT $var FROM t} {1}
"""


def test_only_sql_is_taken_out_of_the_databases_own_tests() -> None:
    data = "copy t from stdin;\n\\N\tx;\n\\.\n"
    assert extract_psql(_PSQL) == f"select 'place';\n{data}copy t (gone) from stdin;\nselect 1;\n"
    body = "DELIMITER |\ncreate procedure p() begin select 1; end|\nDELIMITER ;\n"
    assert extract_mysqltest(_MYSQLTEST) == f"drop table if exists t;\nselekt '; #';\n{body}select 2;\n"
    assert extract_mysqltest("set global x = 1;") == ""
    assert extract_tcl(_TCL) == "CREATE TABLE t(a)\n;\nINSERT INTO t VALUES('{}');\n"
