"""What MySQL has and MariaDB has not; all that both have is tested on both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Completed, profile_of, run_inside
from tests.engines.rendering import execute, open_on, render
from tests.engines.test_mysql_cancel import _running
from tests.servers.database import DatabaseAddress
from tests.servers.mysql import MySqlServer
from tests.side_by_side import run_mariadb

_PASSWORD = "p%w\"d \u00e9'"

_TYPES = """
create table v (id int primary key, e vector(3), g geometry, b bit(9), s set('a', 'b'), c char(3) charset binary,
  u varchar(9) charset utf16, x varchar(9) charset gb18030, h int default 7 invisible);
insert into v values (1, to_vector('[1,2.5,-3]'), point(1, 2), b'101', 'a,b', x'80ff', 'h\u00e9', '\u4e2d');
insert into v (id) values (2);
"""
_AS_HEX = "0000803f00002040000040c0"


@pytest.mark.parametrize("format_name", ["csv", "tsv", "ndjson", "table", "markdown", "vertical"])
def test_a_vector_is_written_as_bytes_are(mysql_database: DatabaseAddress, format_name: str) -> None:
    with open_on(mysql_database) as session:
        render(session, _TYPES)
        said = render(session, "select * from v order by id", format_name).decode()
        assert _AS_HEX in said
        assert "h\u00e9" in said
        assert "\u4e2d" in said
        assert render(session, "select * from v order by id", format_name, limit=5).decode() == said
        again = render(session, "select id, e, hex(e) as h, to_vector('[1]') as w from v where e is not null", "ndjson")
        assert json.loads(again) == {
            "id": 1,
            "e": rf"\x{_AS_HEX}",
            "h": _AS_HEX.upper(),
            "w": r"\x0000803f",
        }


def test_a_vector_is_sent_back_as_what_it_was(mysql_database: DatabaseAddress) -> None:
    with open_on(mysql_database) as session:
        render(session, _TYPES)
        value = bytes.fromhex(_AS_HEX)
        render(session, "insert into v (id, e) values (3, :v)", parameters={"v": value})
        same = render(session, "select count(*) from v where hex(e) = hex(:v)", "value", parameters={"v": value})
        assert same == b"2\n"


def _write_profiles(directory: Path, plain: MySqlServer, encrypted: MySqlServer) -> None:
    common = f"engine = 'mysql'\nuser = 'cached'\npassword = '''{_PASSWORD}'''\nhost = '127.0.0.1'\n"
    (directory / "p.toml").write_text(
        f"[profiles.plain]\n{common}port = {plain.port}\ntls = 'disable'\n"
        f"[profiles.mariadb]\nextends = 'plain'\nengine = 'mariadb'\n"
        f"[profiles.prefer]\nextends = 'plain'\ntls = 'prefer'\n"
        f"[profiles.tls]\n{common}port = {encrypted.port}\ntls = 'require'\n"
        f"[profiles.overheard]\n{common}port = {encrypted.port}\ntls = 'disable'\n"
        f"[profiles.socket]\nengine = 'mysql'\nuser = 'cached'\npassword = '''{_PASSWORD}'''\n"
        f"socket = '{plain.socket}'\n"
    )


def test_caching_sha2_password_lets_in_whom_the_server_has_cached_and_whom_not(
    mysql: MySqlServer, mysql_tls: MySqlServer, tmp_path: Path
) -> None:
    servers = (mysql, mysql_tls)
    for server in servers:
        server.create_user("cached", password=_PASSWORD)
    _write_profiles(tmp_path, *servers)
    for name in ("plain", "mariadb", "prefer", "tls", "overheard", "socket"):
        for server in servers:
            server.execute("FLUSH PRIVILEGES")  # and with them what was cached
        for _ in ("cold", "cached"):
            done = run_inside("query", "--config", "p.toml", "-p", name, "select user()", "-F", "value", cwd=tmp_path)
            assert (done.status, done.text.partition("@")[0]) == (0, "cached"), (name, done.err)
    (tmp_path / "p.toml").write_text((tmp_path / "p.toml").read_text().replace("p%w", "wrong"))
    for name in ("plain", "tls", "socket"):
        refused = run_inside("query", "--config", "p.toml", "-p", name, "select 1", cwd=tmp_path)
        assert refused.status == 2
        assert "1045" in refused.err
        assert "wrong" not in refused.err
    for server in servers:
        server.execute("DROP USER cached")


def _query(database: DatabaseAddress, *arguments: str) -> Completed:
    return run_inside("query", *profile_of(database), *arguments)


def test_a_time_limit_is_four_with_the_servers_error_and_without(mysql_database: DatabaseAddress) -> None:
    many = "select count(*) from {0} a join {0} b join {0} c where concat(a.n, b.n) like concat('%', c.n)"
    numbers = "(select ordinal_position as n from information_schema.columns)"
    for sql in (many.format(numbers), "select benchmark(1000000000, sha2('a', 512))", "select sleep(5)"):
        done = _query(mysql_database, "--statement-timeout", "100ms", sql)
        assert done.status == 4, done.err
        assert "statement_timeout (profile) or --statement-timeout sets the limit" in done.err


def test_a_statement_beside_an_emoji_of_anybody_s_is_cancelled_and_seen(
    mysql: MySqlServer, mysql_database: DatabaseAddress
) -> None:
    """The information schema's list of sessions is an error as long as anybody runs such a statement."""
    with (
        open_on(mysql_database) as theirs,
        open_on(mysql_database) as session,
        _running(theirs, "select sleep(60), '\U0001f600'", mysql),
    ):
        with _running(session, "select sleep(60)", mysql) as errors:
            session.connection.cancel(5)
        assert "interrupted" in errors[0]
        seen = run_inside("activity", *profile_of(mysql_database), "-F", "ndjson")
        assert "\U0001f600" in seen.text
        theirs.connection.cancel(5)


def test_a_table_without_the_key_that_the_server_asks_for_is_its_error(mysql_database: DatabaseAddress) -> None:
    done = _query(mysql_database, "set sql_require_primary_key = on; create table t (i int)")
    assert done.status == 1
    assert "[3750]" in done.err


def test_warnings_are_shown_by_every_form_of_show(mysql: MySqlServer, mysql_database: DatabaseAddress) -> None:
    script = (
        "select cast('x' as signed) as n; show warnings; select cast('x' as signed), cast('y' as signed);"
        "show warnings limit 1, 1; select cast('x' as signed); show count(*) warnings; select cast('x' as signed);"
        "select @@warning_count; show errors; show count(*) errors;"
    )
    native = run_mariadb(mysql, mysql_database.database, script.encode())
    assert native.is_content, native.err
    done = _query(mysql_database, script, "-F", "ndjson")
    rows = [list(json.loads(line).values()) for line in done.lines]
    assert ["\t".join(map(str, row)) for row in rows] == native.out.decode().splitlines()


@pytest.mark.parametrize("option", ["--dry-run", "--single-transaction"])
@pytest.mark.parametrize(
    "sql",
    [
        "set persist max_connections = 151",
        "set @a = 'x', global long_query_time = 10",
        "set @@ persist_only . max_connections = 151",
        "set /*!80000 persist */ max_connections = 151",
        "delimiter //\ndo 1; set global long_query_time = 10//",
        "restart",
        "clone local data directory = '/nowhere/x'",
    ],
)
def test_what_no_rollback_undoes_is_not_begun(mysql_database: DatabaseAddress, sql: str, option: str) -> None:
    done = _query(mysql_database, option, sql)
    assert done.status == 6
    assert option in done.err


def test_a_variable_of_the_session_s_own_may_have_any_name(mysql_database: DatabaseAddress) -> None:
    done = _query(
        mysql_database, "--dry-run", "set @persist = 1, @x = 'global', @`persist_only` = 2; select @persist as p"
    )
    assert (done.status, done.out) == (0, b"p\n1\n"), done.err


def test_explain_analyze_runs_what_it_explains_and_a_read_only_profile_lets_it_read(
    mysql_database: DatabaseAddress, tmp_path: Path
) -> None:
    execute(mysql_database, "create table t (i int primary key); insert into t values (1)")
    (tmp_path / "p.toml").write_text(f'[profiles.p]\nurl = "{mysql_database.url}"\nread_only = true\n')
    for sql, status in (
        ("explain analyze select * from t", 0),
        ("explain analyze format = tree select * from t", 0),
        ("explain format = json into @x select * from t", 0),
        ("explain analyze delete t from t join t u using (i)", 6),
        ("set persist sql_mode = ''", 6),
    ):
        done = run_inside("query", "--config", "p.toml", "-p", "p", sql, cwd=tmp_path)
        assert done.status == status, (sql, done.err)
    assert execute(mysql_database, "select count(*) from t") == b"1\n"


def test_the_head_of_a_dump_with_gtids_loads(mysql_database: DatabaseAddress) -> None:
    head = (
        "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n\n--\n"
        "-- GTID state at the beginning of the backup \n--\n\nSET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '';\n"
        "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n"
    )
    done = _query(mysql_database, head)
    assert (done.status, done.out) == (0, b""), done.err


def test_expressions_of_the_catalogue_are_told_as_they_were_written(mysql_database: DatabaseAddress) -> None:
    execute(
        mysql_database,
        r"create table t (a varchar(20) default 'NULL', b char(30) default 'CURRENT_TIMESTAMP',"
        r" c varchar(9) default '5', d binary(2) default 'ab', e varchar(9) default 'it''s\\n', f int default 5,"
        r" g json default ('{}'), h varchar(40) as (concat(a, 'x''y')), key fn ((lower(concat(a, 'It''s')))),"
        r" constraint ck check (a <> 'it''s'), constraint weak check (f < 9) not enforced)",
    )
    (table,) = json.loads(run_inside("schema", *profile_of(mysql_database), "-F", "json").text)["tables"]
    defaults = {column["name"]: column.get("default") for column in table["columns"]}
    assert defaults == {
        "a": "'NULL'",
        "b": "'CURRENT_TIMESTAMP'",
        "c": "'5'",
        "d": "0x6162",
        "e": r"'it''s\\n'",
        "f": "5",
        "g": "_utf8mb4'{}'",
        "h": None,
    }
    assert table["columns"][7]["generated"] == r"concat(`a`,_utf8mb4'x\'y')"
    assert [index["keys"] for index in table["indexes"]] == [[r"(lower(concat(`a`,_utf8mb4'It\'s')))"]]
    checks = {each["name"]: each["definition"] for each in table["constraints"]}
    assert checks == {"ck": r"CHECK ((`a` <> _utf8mb4'it\'s'))", "weak": "CHECK ((`f` < 9)) NOT ENFORCED"}
