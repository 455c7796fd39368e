"""What is bound is a value and nothing else, whatever character set and SQL mode a script has chosen."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from dbtool.engines.engine import ParameterValue, SessionSettings
from dbtool.run.session import Session, open_session
from tests.engines.rendering import open_on, render, target_of
from tests.servers.database import DatabaseAddress
from tests.servers.mariadb import MariaDbServer

HOSTILE: list[ParameterValue] = [
    "\u8217', version() -- ",
    "\u7e17', version() -- ",
    "\u7e17\\', version() -- ",
    "\u3042\\' , version() -- ",
    "\u30bd' , version() -- ",
    "\u00bf\\' , version() -- ",
    "\u00e9' , version() -- ",
    "\U0001f600' , version() -- ",
    "\\', version() -- ",
    "', version() -- ",
    b"\xbf\\', version() -- ",
    b"\xbf', version() -- ",
    b"\x83', version() -- ",
    b"', version() -- ",
    b"\\', version() -- \xff",
    b"\x00\x1a\n\r\"'\\\xe7",
    b"",
    "",
    "plain",
]
CHARSETS = ["gbk", "gb2312", "sjis", "cp932", "big5", "euckr", "ujis", "eucjpms", "latin1", "latin2", "utf8mb3"]
WAYS = [
    "set names {}",
    "SET NAMES '{}'",
    "set character set {}",
    "set character_set_client = {}",
    "set @a = 1, session character_set_client = {}",
    "set @@character_set_client = '{}', @@session.character_set_connection = '{}'",
    "execute immediate concat('set na', 'mes {}')",
    "set @s = 'set names {}'; prepare p from @s; execute p",
    "delimiter //\nbegin not atomic set names {}; end//\ndelimiter ;",
    "delimiter //\nselect 1; set names {}//\ndelimiter ;",
    "/*!50000 set names {} */",
    "/*M!999999 select */ set names {}",
    "/*!999999 select */ set names {}",
    "/* select */ set names {}",
    "select 1; set names {}; select 2",
]
ON_MARIADB_ALONE = ("execute immediate", "begin not atomic")
MODES = ["", "set sql_mode = 'NO_BACKSLASH_ESCAPES'; ", "set sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; "]


def _require_bound(session: Session, script: str) -> None:
    for value in HOSTILE:
        data = value if isinstance(value, bytes) else str(value).encode()
        shown = "hex(:x)" if isinstance(value, bytes) else "hex(convert(:x using utf8mb4))"
        said = render(session, f"select {shown} as a", "ndjson", parameters={"x": value}).decode()
        assert said == f'{{"a":"{data.hex().upper()}"}}\n', (script, value)


def _list_scripts(server: MariaDbServer) -> Iterator[str]:
    yield ""
    for way, charset in itertools.chain(((WAYS[0], charset) for charset in CHARSETS), ((way, "gbk") for way in WAYS)):
        if server.title == "MariaDB" or not any(words in way for words in ON_MARIADB_ALONE):
            yield way.format(charset, charset)


@pytest.mark.parametrize("mode", MODES)
def test_no_value_ends_its_quotes_in_another_character_set(
    mariadb: MariaDbServer, mariadb_database: DatabaseAddress, mode: str
) -> None:
    for script in _list_scripts(mariadb):
        with open_on(mariadb_database) as session:
            render(session, f"{mode}{script}", "ndjson")
            _require_bound(session, script)


def test_nor_where_the_profile_has_chosen_it(mariadb_database: DatabaseAddress) -> None:
    for way in ("set names gbk", "set names gbk, sql_mode = 'NO_BACKSLASH_ESCAPES'"):
        for settings in (SessionSettings(), SessionSettings(read_only=True)):
            session = open_session(target_of(mariadb_database, on_connect=(way,)), settings)
            _require_bound(session, way)
            session.close()
    chosen = (("character_set_client", "gbk"), ("sql_mode", "NO_BACKSLASH_ESCAPES"))
    session = open_session(target_of(mariadb_database, session=chosen), SessionSettings())
    _require_bound(session, "session")
    session.close()


@pytest.mark.parametrize("encoding", ["gbk", "sjis", "big5", "latin1"])
def test_nor_where_the_session_was_opened_with_it(mariadb_database: DatabaseAddress, encoding: str) -> None:
    settings = SessionSettings(encoding=encoding)
    for script in ("", "set names latin1", "set names gbk", "set sql_mode = 'NO_BACKSLASH_ESCAPES'"):
        session = open_session(target_of(mariadb_database), settings)
        render(session, script)
        for value in (b"\xbf\\', version() -- ", b"\x83'", "', version() -- ", "\\', version()"):
            data = value if isinstance(value, bytes) else value.encode()
            said = render(session, "select hex(:x) as a", "ndjson", parameters={"x": value}).decode()
            assert said == f'{{"a":"{data.hex().upper()}"}}\n', (script, value)
        session.close()


@pytest.mark.parametrize(
    "text",
    [
        "select 1 /*!99999 :x */ as a",
        "select 1 /*!999999 + :x */ as a",
        "select 1 /*M!999999 , :x */ as a",
        "/*!99999 select :x */ select 1 as a",
        "select 1 /*!99999 :x /* */ :x */ as a /*!99999 */",
    ],
)
def test_no_value_ends_a_comment_that_the_server_may_not_read(mariadb_database: DatabaseAddress, text: str) -> None:
    for mode in MODES:
        with open_on(mariadb_database) as session:
            render(session, mode)
            for value in ("*/ + 1, 2 -- ", "*/ + 1, 2 /*", "/*", "*/", b"*/ + 1, 2 -- ", b"\xff/*", "'*/ + 1 -- "):
                said = render(session, text, "ndjson", parameters={"x": value})
                assert said == b'{"a":1}\n', (text, value)
            assert render(session, "select /*! :x */ as a", "ndjson", parameters={"x": "*/"}) == b'{"a":"*/"}\n'


@pytest.mark.parametrize("encoding", ["SJIS", "GBK", "BIG5", "GB18030", "LATIN1", "EUC_JP", "SQL_ASCII", "UTF8"])
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_nor_on_postgresql(postgres_database: DatabaseAddress, encoding: str, conforming: str) -> None:
    with open_on(postgres_database) as session:
        render(session, f"set standard_conforming_strings = {conforming}; set client_encoding = '{encoding}'")
        for value in ("', version() -- ", "\\', version() -- ", "\\"):
            shown = render(session, "select encode(convert_to(:x, 'UTF8'), 'hex') as a", "csv", parameters={"x": value})
            assert shown.decode() == f"a\n{value.encode().hex()}\n", value
        if conforming == "on":
            for data in (b"\xbf\\', version() -- ", b"\x83'", b"\\"):
                said = render(session, "select encode(:x, 'hex') as a", "csv", parameters={"x": data}).decode()
                assert said == f"a\n{data.hex()}\n", data
