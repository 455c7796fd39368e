import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from dbtool.schema.json_form import VERSION
from tests.cli.running import profile_of, run_inside
from tests.cli.terminal import on_terminal
from tests.docs import schema_form
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer
from tests.servers.mysql import MySqlServer
from tests.servers.postgres import PostgresServer

SCHEMAS = Path(__file__).parents[1] / "engines" / "schemas"
QUIET = ("--quiet",)


def load(database: DatabaseAddress | Path, engine: str) -> tuple[str, str]:
    """Fill a database with the schema of its engine; return the option that names it."""
    profile = profile_of(database)
    done = run_inside("query", *profile, "-f", SCHEMAS / f"{engine}.sql", "--result", "none", *QUIET)
    assert done.status == 0, done.err
    return profile


@pytest.fixture(scope="module")
def sqlite_schema(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    path = tmp_path_factory.mktemp("schema") / "test.db"
    path.touch()
    return load(path, "sqlite")


@pytest.fixture(scope="module")
def postgres_schema(postgres: PostgresServer) -> tuple[str, str]:
    return load(postgres.create_database(), "postgresql")


@pytest.fixture(scope="module")
def mariadb_schema(mariadb_itself: MariaDbServer) -> tuple[str, str]:
    return load(mariadb_itself.create_database(), "mariadb")


@pytest.fixture(scope="module")
def mysql_schema(mysql: MySqlServer) -> tuple[str, str]:
    return load(mysql.create_database(), "mysql")


ENGINES = pytest.mark.parametrize(
    "schema_fixture",
    [
        "sqlite_schema",
        pytest.param("postgres_schema", marks=pytest.mark.postgres),
        pytest.param("mariadb_schema", marks=pytest.mark.mysql),
        pytest.param("mysql_schema", marks=pytest.mark.mysql),
    ],
)


@ENGINES
def test_tables_are_listed_without_views_unless_they_are_asked_for(
    request: pytest.FixtureRequest, schema_fixture: str
) -> None:
    profile = request.getfixturevalue(schema_fixture)
    done = run_inside("tables", *profile, "-F", "csv")
    assert done.status == 0, done.err
    assert done.lines[0] == "schema,name,kind,rows,size,comment"
    kinds = {line.split(",")[1].strip('"'): line.split(",")[2] for line in done.lines[1:]}
    assert kinds["customers"] == kinds["Order Lines"] == "table"
    assert "rich" not in kinds
    with_views = run_inside("tables", *profile, "-F", "csv", "--views")
    assert re.search(r",rich,view,", with_views.text)


@ENGINES
@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("customers", {"customers"}),
        ("CUST*", {"customers"}),
        ('"Customers"', set()),
        ('"Order Lines"', {"Order Lines"}),
        ("order?lines", {"Order Lines"}),
        ("nothing", set()),
        ("o%", set()),
    ],
)
def test_a_pattern_chooses_tables(
    request: pytest.FixtureRequest, schema_fixture: str, pattern: str, found: set[str]
) -> None:
    if schema_fixture not in {"postgres_schema", "mysql_schema"} and pattern == '"Customers"':
        found = {"customers"}  # SQLite and MariaDB's information schema compare names without case
    profile = request.getfixturevalue(schema_fixture)
    done = run_inside("tables", *profile, pattern, "-F", "json")
    assert {row["name"] for row in json.loads(done.text)} == found


@ENGINES
def test_a_table_is_described_with_its_keys_both_ways(request: pytest.FixtureRequest, schema_fixture: str) -> None:
    profile = request.getfixturevalue(schema_fixture)
    done = run_inside("describe", *profile, "customers", "-F", "table")
    assert done.status == 0, done.err
    for expected in ("Columns", "Keys", "Referenced by", "Order Lines", "Checks", "length(", "Triggers", "primary key"):
        assert expected in done.text
    assert re.search(r"name +│ \S.* │ no ", done.text)
    other = run_inside("describe", *profile, '"Order Lines"', "-F", "table")
    assert re.search(r"FOREIGN KEY.*customer_id.*REFERENCES.*customers.*ON DELETE CASCADE", other.text)


@ENGINES
def test_a_view_is_described_with_its_query(request: pytest.FixtureRequest, schema_fixture: str) -> None:
    done = run_inside("describe", *request.getfixturevalue(schema_fixture), "rich", "-F", "table")
    assert done.lines[0].startswith("View ")
    assert re.search(r"Definition\n\n.*select", done.text, re.IGNORECASE | re.DOTALL)


@ENGINES
def test_a_name_that_is_not_there_is_answered_with_the_nearest(
    request: pytest.FixtureRequest, schema_fixture: str
) -> None:
    done = run_inside("describe", *request.getfixturevalue(schema_fixture), "custmers")
    assert (done.status, done.text) == (1, "")
    assert "there is no table or view 'custmers' - did you mean customers?" in done.err


@ENGINES
def test_one_column_per_row_is_what_a_script_gets(request: pytest.FixtureRequest, schema_fixture: str) -> None:
    profile = request.getfixturevalue(schema_fixture)
    done = run_inside("describe", *profile, "customers", "-F", "csv", "--no-header")
    assert [line.split(",")[0] for line in done.lines][:3] == ["id", "name", "country"]


@ENGINES
def test_a_text_is_found_in_names_and_not_in_what_they_belong_to(
    request: pytest.FixtureRequest, schema_fixture: str
) -> None:
    done = run_inside("search", *request.getfixturevalue(schema_fixture), "CUSTOMER", "-F", "csv")
    assert re.search(r",table,customers,name,", done.text)
    assert re.search(r'"?,column,"?Order Lines.customer_id', done.text)
    assert "customers.country" not in done.text


@ENGINES
def test_the_snapshot_is_of_the_documented_form(request: pytest.FixtureRequest, schema_fixture: str) -> None:
    profile = request.getfixturevalue(schema_fixture)
    form = json.loads(schema_form.FILE.read_text())
    for arguments in (("schema",), ("schema", "customers"), ("describe", "customers")):
        done = run_inside(*arguments, *profile, "-F", "json")
        jsonschema.validate(json.loads(done.text), form)


@ENGINES
def test_what_schema_writes_makes_the_same_schema_anew(
    request: pytest.FixtureRequest, schema_fixture: str, tmp_path: Path
) -> None:
    profile = request.getfixturevalue(schema_fixture)
    written = run_inside("schema", *profile)
    assert written.status == 0, written.err
    assert "no backup" in written.err
    script = tmp_path / "schema.sql"
    # FTS5 makes the tables that it keeps its words in by itself.
    script.write_text(re.sub(r"CREATE TABLE 'words_.*?;\n\n", "", written.text, flags=re.DOTALL))
    copy = profile_of(_other_database(request, schema_fixture, tmp_path))
    loaded = run_inside("query", *copy, "-f", script, "--result", "none", *QUIET)
    assert loaded.status == 0, loaded.err
    original, made = (_snapshot(*option) for option in (profile, copy))
    assert made == original


def _other_database(request: pytest.FixtureRequest, schema_fixture: str, tmp_path: Path) -> DatabaseAddress | Path:
    if schema_fixture == "sqlite_schema":
        path = tmp_path / "copy.db"
        path.touch()
        return path
    server: PostgresServer | MariaDbServer = request.getfixturevalue(schema_fixture.partition("_")[0])
    return server.create_database()


def _snapshot(*profile: str) -> object:
    """Return the schema without what differs between two databases: their name, and the server's estimates."""
    text = run_inside("schema", *profile, "-F", "json").text
    schema = json.loads(text)
    database = schema.pop("database")
    assert schema["dbtool-schema"] == VERSION
    for table in schema["tables"]:
        table.pop("rows", None)
        table.pop("bytes", None)
    text = re.sub(r"'\d+'::oid", "oid", json.dumps(schema))
    return json.loads(re.sub(rf"\b{re.escape(database)}\b", "database", text))


@pytest.mark.postgres
def test_tables_on_postgresql_are_those_that_psql_lists(
    postgres: PostgresServer, postgres_schema: tuple[str, str]
) -> None:
    listed = _psql(postgres, postgres_schema, r"\dt *.*")
    expected = {tuple(line.split("|")[:3]) for line in listed if not re.match("pg_|information_schema", line)}
    done = run_inside("tables", *postgres_schema, "-F", "json")
    assert {(row["schema"], row["name"], row["kind"]) for row in json.loads(done.text)} == expected


@pytest.mark.postgres
@pytest.mark.parametrize(
    "name",
    [
        "customers",
        '"Order Lines"',
        "sales.events",
        "sales.events_2024",
        "child",
        "ul",
        "parent",
        "middle",
        "sales.logs",
        "sales.logs_eu",
        "sales.logs_eu_now",
        "sales.logs_rest",
        "sales.hashed_0",
        "richer",
        "richest",
        "mrich",
        "counter",
        "sales.logs_at",
    ],
)
def test_a_description_on_postgresql_holds_all_that_psql_shows(
    postgres: PostgresServer, postgres_schema: tuple[str, str], name: str
) -> None:
    text = run_inside("describe", *postgres_schema, name, "-F", "table").text.lower()
    for line in _psql(postgres, postgres_schema, rf"\d+ {name}"):
        for word in re.findall(r"[a-z_]\w{3,}", line.lower()):
            if word not in PSQL_WORDS:
                assert word in text, f"{word!r} of {line!r} is missing"


PSQL_WORDS = frozenset(
    """
    table indexes index column type collation nullable default storage compression stats target description
    constraint constraints check foreign foreignkey referenced references triggers disabled user extended plain main
    policies policy statistics objects access method heap partition partitions bound values from inherits child
    tables options unlogged partitioned none with btree statements fillfactor true false exclude using gist where
    include unique primary key publications column number replica identity not null always generated default stored
    """.split()  # noqa: SIM905 - a line for each would fill a screen
)
"""psql's own headings, and what it spells in another way."""


def _psql(server: PostgresServer, profile: tuple[str, str], command: str) -> list[str]:
    done = subprocess.run(
        [server.binaries["psql"], "-X", "-A", "-t", "-d", profile[1], "-c", command],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.mysql
@pytest.mark.parametrize("name", ["customers", "Order Lines", "ev", "more", "self", "subs", "versioned", "picky"])
def test_a_description_on_mariadb_holds_all_of_show_create(mariadb_schema: tuple[str, str], name: str) -> None:
    shown = run_inside("query", *mariadb_schema, f"show create table `{name}`", "-F", "csv").text
    text = run_inside("describe", *mariadb_schema, f"`{name}`", "-F", "table").text.lower()
    for word in re.findall(r"[a-z_]\w+", shown.lower()):
        if word not in MYSQL_WORDS:
            assert word in text, f"{word!r} of {shown!r} is missing"


MYSQL_WORDS = frozenset(
    """
    create table not null default key auto_increment charset engine comment constraint primary unique
    references foreign on generated always stored if definer algorithm undefined sql localhost view as
    collation_connection character_set_client utf8mb4_general_ci utf8mb4 utf8mb3 root set using
    partition partitions by values less than subpartitions with option with persistent
    json_valid current_timestamp character collate
    """.split()  # noqa: SIM905 - a line for each would fill a screen
)
"""What SHOW CREATE says in another way than the information schema does, or of the connection."""


@pytest.mark.parametrize("name", ["customers", "Order Lines", "pairs", "points", "strict", "words", "rich", "richer"])
def test_a_description_on_sqlite_holds_all_of_its_schema_table(sqlite_schema: tuple[str, str], name: str) -> None:
    query = f"select group_concat(sql, ' ') from sqlite_schema where tbl_name = '{name}'"
    shown = run_inside("query", *sqlite_schema, query, "-F", "csv", "--no-header").text
    text = run_inside("describe", *sqlite_schema, f'"{name}"', "-F", "table").text.lower()
    for word in re.findall(r"[a-z_]\w+", re.sub(r"--.*", "", shown).lower()):
        if word not in SQLITE_WORDS:
            assert word in text, f"{word!r} of {shown!r} is missing"


SQLITE_WORDS = frozenset("create table not as stored constraint unique using virtual index default".split())  # noqa: SIM905


HARD_NAMES = (
    "Order.Lines",
    "select",
    "UPPER",
    "it's",
    'in "quotes"',
    "back`tick",
    "per%cent_",
    "[x]",
    "naïve 表",
    "a b",
)


@ENGINES
def test_a_name_of_any_kind_is_found_described_searched_and_written(
    request: pytest.FixtureRequest, schema_fixture: str, tmp_path: Path
) -> None:
    profile = profile_of(_other_database(request, schema_fixture, tmp_path))
    mark = "`" if schema_fixture in {"mariadb_schema", "mysql_schema"} else '"'
    # MariaDB's own SHOW CREATE TABLE writes a foreign key's name with a bare backtick.
    names = [name for name in HARD_NAMES if mark == '"' or "`" not in name]
    quoted = {name: mark + name.replace(mark, mark * 2) + mark for name in names}
    script = "".join(
        f"create table {name} ({name} int primary key, up int references {name} ({name}));"
        f"create index {name[:-1]}i{mark} on {name} (up);create view {name[:-1]}v{mark} as select {name} from {name};"
        for name in quoted.values()
    )
    made = run_inside("query", *profile, script, *QUIET)
    assert made.status == 0, made.err
    for name, spelt in quoted.items():
        described = json.loads(run_inside("describe", *profile, spelt, "-F", "json").text)
        (table,) = described["tables"]
        assert (table["name"], table["columns"][0]["name"]) == (name, name)
        listed = json.loads(run_inside("tables", *profile, spelt, "-F", "json").text)
        assert [row["name"] for row in listed] == [name]
        found = json.loads(run_inside("search", *profile, name, "-F", "json").text)
        assert name in {row["name"] for row in found}
    copy = tmp_path / "copy"
    copy.mkdir()
    written = tmp_path / "schema.sql"
    written.write_text(run_inside("schema", *profile).text)
    other = profile_of(_other_database(request, schema_fixture, copy))
    loaded = run_inside("query", *other, "-f", written, "--result", "none", *QUIET)
    assert loaded.status == 0, loaded.err
    assert _snapshot(*other) == _snapshot(*profile)


def test_a_schema_on_a_terminal_moves_no_cursor(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    made = run_inside("query", "-p", f"sqlite:///{path}?mode=rwc", 'create table "a\x1b[31m\u202e\nb" (x)', *QUIET)
    assert made.status == 0, made.err
    with on_terminal("schema", "-p", str(path), home=tmp_path) as terminal:
        terminal.wait_for(r'CREATE TABLE "a\x1b[31m\u202e')
        assert terminal.finish() == 0
        assert "\x1b[31m" not in terminal.raw
        assert "\u202e" not in terminal.raw
    assert "\x1b[31m\u202e" in run_inside("schema", "-p", str(path)).text  # a file gets what is there


def test_a_file_has_no_sessions(sqlite_database: Path) -> None:
    for command in (("activity",), ("kill", "1")):
        done = run_inside(*command, *profile_of(sqlite_database))
        assert done.status == 2
        assert "SQLite has no server" in done.err


SERVERS = pytest.mark.parametrize(
    "fixture",
    [
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)


@contextmanager
def waiting_sessions(server: PostgresServer | MariaDbServer, database: DatabaseAddress) -> Iterator[tuple[int, int]]:
    """Let one session lock a row and another wait for it; give their numbers."""
    first, second = server.connect(database.database), server.connect(database.database)
    number = "select pg_backend_pid()" if isinstance(server, PostgresServer) else "select connection_id()"
    numbers = []
    for connection in (first, second):
        connection.cursor().execute("begin")
        cursor = connection.cursor()
        cursor.execute(number)
        ((session,),) = cursor.fetchall()
        numbers.append(int(session))
    first.cursor().execute("update stock set n = 1")
    done: list[object] = []

    def wait() -> None:
        try:
            second.cursor().execute("update stock set n = 2")
        except Exception as error:
            done.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield numbers[0], numbers[1]
    finally:
        first.close()
        thread.join(20)
        second.close()


def _until(server_sees: Callable[[], object], seconds: float = 30.0) -> None:
    give_up = time.monotonic() + seconds
    while not server_sees():
        assert time.monotonic() < give_up, "the session never waited"
        # InnoDB looks at its locks anew only where nobody has asked for 0.1 s.
        time.sleep(0.2)


@SERVERS
def test_who_waits_stands_behind_whom_it_waits_for_and_can_be_cancelled(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    server: PostgresServer | MariaDbServer = request.getfixturevalue(fixture)
    database: DatabaseAddress = request.getfixturevalue(f"{fixture}_database")
    profile = profile_of(database)
    made = run_inside("query", *profile, "create table stock (n int)", "insert into stock values (0)", *QUIET)
    assert made.status == 0, made.err
    with waiting_sessions(server, database) as (blocker, waiter):

        def rows() -> list[dict[str, object]]:
            found: list[dict[str, object]] = json.loads(
                run_inside("activity", *profile, "--blocked", "-F", "json").text
            )
            return found

        _until(lambda: len(rows()) == 2)
        first, second = rows()
        assert str(first["id"]) == str(blocker)
        assert str(second["id"]) == f"  {waiter}"
        assert str(second["blocked_by"]) == str(blocker)
        assert "update stock" in str(second["query"])
        every = run_inside("activity", *profile, "-F", "csv")
        assert str(blocker) in every.text
        ended = run_inside("kill", str(waiter), *profile)
        assert ended.status == 0, ended.err
        _until(lambda: not rows())


@SERVERS
def test_a_session_that_is_not_there_cannot_be_ended(request: pytest.FixtureRequest, fixture: str) -> None:
    profile = profile_of(request.getfixturevalue(f"{fixture}_database"))
    for more in ((), ("--connection",)):
        done = run_inside("kill", "999999999", *more, *profile)
        assert done.status == 1
        assert "there is no session 999999999" in done.err


@SERVERS
def test_on_a_protected_profile_a_session_is_ended_only_by_who_says_its_name(
    request: pytest.FixtureRequest, fixture: str, tmp_path: Path
) -> None:
    database: DatabaseAddress = request.getfixturevalue(f"{fixture}_database")
    config = tmp_path / "p.toml"
    config.write_text(f'default = "prod"\n[profiles.prod]\nurl = "{database.url}"\nprotected = true\n')
    refused = run_inside("kill", "999999999", "--config", config)
    assert refused.status == 6
    named = run_inside("kill", "999999999", "--config", config, "-p", "prod", "--confirm", "prod")
    assert "there is no session" in named.err
    for command in (("tables",), ("describe", "x"), ("search", "x"), ("schema", "-F", "json"), ("activity",)):
        assert "read-only" not in run_inside(*command, "--config", config).err


def test_control_characters_in_names_reach_no_terminal(sqlite_database: Path) -> None:
    profile = profile_of(sqlite_database)
    run_inside("query", *profile, 'create table "a\x1b[31m" (x)', *QUIET)
    done = run_inside("describe", *profile, "a*", "-F", "table")
    assert done.status == 0, done.err
    assert b"\x1b" not in done.out.splitlines()[0]
    assert b"\x1b" not in run_inside("schema", *profile, "-F", "json").out


def test_a_view_of_a_table_that_is_gone_hides_nothing_else(sqlite_database: Path) -> None:
    profile = profile_of(sqlite_database)
    made = run_inside("query", *profile, "create table t (x)", "create view bad as select * from nowhere", *QUIET)
    assert made.status == 0, made.err
    tables = json.loads(run_inside("schema", *profile, "-F", "json").text)["tables"]
    assert [(table["name"], len(table.get("columns", ()))) for table in tables] == [("bad", 0), ("t", 1)]
    assert "CREATE VIEW bad" in run_inside("schema", *profile).text
    assert "nowhere" in run_inside("describe", *profile, "bad").text
    assert "bad" in run_inside("search", *profile, "nowhere").text


_SHOP = {
    "sqlite": "create table c (id integer primary key, name varchar(20) not null);"
    "create table o (id integer primary key, c integer not null references c (id), total decimal(8,2));"
    "create index o_c on o (c)",
    "mariadb": "create table c (id int primary key, name varchar(20) not null);"
    "create table o (id int primary key, c int not null references c (id), total decimal(8,2));"
    "create index o_c on o (c)",
}
_SHOP["postgresql"] = _SHOP["sqlite"]


def test_the_same_schema_on_three_engines_has_no_drift(
    tmp_path: Path, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    path = tmp_path / "shop.db"
    path.touch()
    sides = {"sqlite": str(path), "postgresql": postgres_database.url, "mariadb": mariadb_database.url}
    for engine, address in sides.items():
        assert run_inside("query", "-q", "-p", address, _SHOP[engine]).status == 0
    for one in sides.values():
        for other in sides.values():
            done = run_inside("schema", "diff", "-p", one, "-p", other)
            assert done.status == 0 or one == other, done.err + done.text
    run_inside("query", "-q", "-p", sides["mariadb"], "alter table o modify total decimal(9,2)")
    done = run_inside("schema", "diff", "-p", sides["postgresql"], "-p", sides["mariadb"], "-F", "csv")
    assert done.status == 5
    assert done.lines == ["kind,name,aspect,before,after", 'column,o.total,type,"numeric(8,2)","decimal(9,2)"']


def test_drift_from_a_snapshot_fits_into_a_line_of_a_log(sqlite_database: Path, tmp_path: Path) -> None:
    profile = profile_of(sqlite_database)
    run_inside("query", "-q", *profile, "create table t (a int)")
    assert run_inside("schema", *profile, "-o", tmp_path / "s.json").status == 0
    same = run_inside("schema", "diff", "s.json", *profile, "--expect-none", cwd=tmp_path)
    assert same.status == 0, same.err
    run_inside("query", "-q", *profile, "alter table t add b text not null default ''")
    done = run_inside("schema", "diff", "s.json", *profile, "--expect-none", cwd=tmp_path)
    assert (done.status, done.out) == (5, b"")
    assert "differs from that of s.json in 1 place: column t.b: added" in done.err
    with (tmp_path / "endless.json").open("wb") as sparse:
        sparse.truncate(1 << 30)
    for wrong in (("s.json",), ("endless.json", *profile), ("missing.json", *profile), ("s.json", "s.json", "s.json")):
        assert run_inside("schema", "diff", *wrong, cwd=tmp_path).status == 2
