"""What a new user tries first: it works, or the one line that is said can be followed."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest

from dbtool.bench.faults.proxy import Proxy
from tests.cli.running import MEMORY, run_inside
from tests.servers.database import DatabaseAddress
from tests.servers.processes import find_free_port


@pytest.mark.parametrize("name", ["load.sql", "LOAD.SQL", "./load.sql", "there.txt", "sub/there", "${HOME}/x.sql"])
def test_a_file_where_sql_stands_is_said_to_be_one(name: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for path in ("there.txt", "sub/there"):
        (tmp_path / path).write_text("select 1")
    for more in ((), ("select 1",)):
        done = run_inside("query", *MEMORY, name, *more, cwd=tmp_path)
        assert (done.status, done.out) == (2, b"")
        assert done.err == f"dbtool: error: {name} is a file, and no SQL: run it with -f {name}\n"


@pytest.mark.parametrize("sql", ["select 1.5", "select 4/2", "values(1.5)", "-- a.sql\nselect 1", "select '.sql'"])
def test_sql_with_a_dot_or_a_slash_is_sql(sql: str, tmp_path: Path) -> None:
    assert run_inside("query", *MEMORY, sql, cwd=tmp_path).status == 0


@pytest.mark.parametrize("name", ["json", "JSON", "Json", "cSv", "VALUE"])
def test_a_format_is_named_in_any_case(name: str) -> None:
    expected = run_inside("query", *MEMORY, "select 1 as a", "-F", name.lower())
    assert run_inside("query", *MEMORY, "select 1 as a", "-F", name) == expected
    assert run_inside("query", *MEMORY, "select 1 as a", environment={"DBTOOL_FORMAT": name}) == expected
    assert run_inside("tables", *MEMORY, "-F", name.replace("VALUE", "JSON")).status == 0
    assert run_inside("profile", "list", "-F", name.replace("VALUE", "JSON")).status == 0


def test_other_words_are_taken_in_any_case() -> None:
    words = ("--result", "ALL", "--json-numbers", "String", "--invalid-text", "Replace")
    assert run_inside("query", *MEMORY, "select 1 as a", *words).text == "a\n1\n"
    assert run_inside("schema", *MEMORY, "-F", "JSON").text.startswith("{")


@pytest.mark.parametrize("command", [("query", "select 1"), ("tables",), ("schema",)], ids=lambda words: words[0])
def test_a_suffix_that_names_no_format_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run_inside(*command, *MEMORY, "-o", "rows.xls", cwd=tmp_path)
    assert (done.status, done.out, done.err.count("\n")) == (2, b"", 1)
    assert "xls" in done.err
    assert "-F" in done.err
    assert not list(tmp_path.iterdir())
    named = "json" if command == ("schema",) else "csv"
    assert run_inside(*command, *MEMORY, "-o", "rows.xls", "-F", named, cwd=tmp_path).status == 0
    assert run_inside(*command, *MEMORY, "-o", "rows", cwd=tmp_path).status == 0


@pytest.mark.parametrize(
    "given", ["{path}", "sqlite:///{path}", "sqlite:///{path}?mode=rw", "sqlite:///{path}?create=false"]
)
def test_the_hint_for_a_missing_file_can_be_followed(given: str, tmp_path: Path) -> None:
    path = tmp_path / "my shop?.db"
    written = path if given == "{path}" else str(path).replace(" ", "%20").replace("?", "%3F")
    done = run_inside("query", "-p", given.format(path=written), "select 1 as a")
    assert done.status == 2
    hint = re.search(r"\((\S+) would make it\)", done.err)
    assert hint, done.err
    assert run_inside("query", "-p", hint[1], "select 1 as a").text == "a\n1\n"
    assert path.exists()


def test_a_profiles_own_hint_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "dbtool.toml").write_text('[profiles.shop]\nengine = "sqlite"\npath = "shop.db"\n')
    asked = ("query", "--config", "dbtool.toml", "-p", "shop", "select 1 as a")
    assert "(create = true in the profile would make it)" in run_inside(*asked, cwd=tmp_path).err
    (tmp_path / "dbtool.toml").write_text('[profiles.shop]\nurl = "sqlite:///shop.db?create=true"\n')
    assert run_inside(*asked, cwd=tmp_path).text == "a\n1\n"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("create=yes", "create: must be true or false"),
        ("mode=ro&create=true", "contradict"),
        ("mode=rwc&create=false", "contradict"),
        ("create=true&create=true", "twice"),
    ],
)
def test_what_create_may_not_say_is_refused(query: str, said: str, tmp_path: Path) -> None:
    done = run_inside("query", "-p", f"sqlite:///x.db?{query}", "select 1", cwd=tmp_path)
    assert done.status == 2
    assert said in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_waiting_in_vain_says_for_how_long(scheme: str) -> None:
    url = f"{scheme}://u@127.0.0.1:{find_free_port()}/d"
    assert "waited" not in run_inside("query", "-p", url, "select 1").err
    done = run_inside("query", "-p", url, "select 1", "--wait", "300ms")
    assert done.status == 3
    assert re.search(r"\(waited \d+(\.\d+)?ms for it\)\n$", done.err), done.err


def test_waiting_with_success_says_for_how_long(postgres_database: DatabaseAddress) -> None:
    proxy = Proxy((postgres_database.host, postgres_database.port))
    proxy.port = find_free_port()
    url = postgres_database.url.replace(f":{postgres_database.port}/", f":{proxy.port}/")
    with ExitStack() as stack:
        coming_up = Timer(0.2, lambda: stack.enter_context(proxy))
        coming_up.start()
        done = run_inside("query", "-p", url, "select 1 as a", "--wait", "20s")
        coming_up.join()
    assert (done.status, done.text) == (0, "a\n1\n")
    assert re.fullmatch(r"connected after waiting [\d.]+m?s\n", done.err)
