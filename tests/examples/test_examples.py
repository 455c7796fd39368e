"""Every example on every page works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import psycopg2
import pytest

from dbtool.actions import pool_bench
from dbtool.bench.trials.comparison import Order, Outcome
from tests.cli.pool_samples import make_sound
from tests.cli.running import CHECKOUT, run_inside, surroundings
from tests.docs.pages import PAGES, README
from tests.examples.reader import Block, Reader, read_blocks, read_tables
from tests.servers.database import DatabaseAddress

_SHOP = """
drop table if exists orders, customers;
create table customers (id int primary key, name text not null, country text not null, email text);
create table orders (
    id int primary key, customer_id int not null references customers, item text not null, price numeric(8, 2) not null,
    ordered_on date not null, shipped_on date check (shipped_on >= ordered_on)
);
"""
_MORE = """
create table carts (id int);
create table jobs (id int, state text);
create table t (a int, b text);
create table "order" (id serial primary key);
insert into jobs values (17, 'new');
"""
_ROWS = """
truncate orders, customers;
insert into customers values
    (1, 'Ada Lovelace', 'GB', 'ada@example.com'), (2, 'Grace Hopper', 'US', 'grace@example.com'),
    (3, 'Søren Kierkegaard', 'DK', null), (4, '山田 太郎', 'JP', 'taro@example.com'), (5, 'Conan O''Brien', 'US', '');
insert into orders values
    (1, 1, 'Analytical engine, used', 1499.00, '2026-01-12', '2026-01-15'),
    (2, 2, 'Nanosecond of wire', 0.30, '2026-01-13', '2026-01-13'),
    (3, 3, 'Either', 12.50, '2026-02-01', '2026-02-03'), (4, 3, 'Or', 12.50, '2026-02-01', null),
    (5, 4, '茶碗', 85.25, '2026-02-14', '2026-02-20'), (6, 5, 'String of "quotes"', 19.99, '2026-03-01', null),
    (7, 1, 'Punched cards, 1,000', 45.00, '2026-03-02', '2026-03-04');
"""
_PROFILES = """
default = "ci"
[profiles.ci]
url = "{url}"
[profiles.staging]
url = "{url}"
color = "cyan"
tags = ["eu"]
[profiles.prod]
url = "{url}"
protected = true
"""
"""The profiles that the examples name."""


@pytest.fixture
def reader(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reader]:
    """Someone with the profiles and files that the pages speak of; the README's reader begins with none."""
    address, home = postgres_database, tmp_path
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = surroundings(
        home,
        {
            "PATH": programs,
            "SHELL": "/bin/bash",
            "EDITOR": "true",
            "PAGER": "cat",
            "DBTOOL_FORMAT": "table",
            "DB_PASSWORD": "hush",
            "sql": "select 1",
            "PGHOST": address.host,
            "PGPORT": str(address.port),
            "PGUSER": address.user,
        },
    )
    for name in set(os.environ) - set(variables):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "keyring", _make_keyring())
    monkeypatch.setattr(pool_bench, "compare", _make_up)
    own = home / "config" / "dbtool"
    own.mkdir(parents=True)
    directory = home / "shop"
    directory.mkdir()
    with closing(
        psycopg2.connect(host=address.host, port=address.port, user=address.user, dbname=address.database)
    ) as session:
        session.autocommit = True
        session.cursor().execute(f"{_SHOP}{_ROWS}analyze;")
        pid = session.info.backend_pid
        yield Reader(
            variables=variables,
            directory=directory,
            stands_for=(
                ("postgresql://app@db.example.com/shop", address.url),
                ("postgresql://ada@localhost/shop", address.url),
                (
                    '"shop", host="db.example.com"',
                    f'"{address.database}", host="{address.host}", port={address.port}, user="{address.user}"',
                ),
                # The database is there already.
                ("pg_dump shop", f"pg_dump --clean --if-exists {address.database}"),
                ("4711", str(pid)),
            ),
        )


def _lay_out(reader: Reader, page: Path, address: DatabaseAddress) -> None:
    """Write the files that a page's examples read."""
    home, directory = Path(reader.variables["HOME"]), reader.directory
    for name, sql in {"schema": _SHOP, "data": _ROWS, "fixtures": _ROWS}.items():
        (directory / f"{name}.sql").write_text(sql)
    if page == README:
        (directory / "profiles").mkdir()
        for name in ("demo.toml", "demo.sql"):
            shutil.copy(CHECKOUT / "profiles" / name, directory / "profiles")
        for command in (("profile", "trust", "--yes"), ("query", "-f", "profiles/demo.sql")):
            assert run_inside(*command, environment=reader.variables, cwd=directory).status == 0
        return
    assert run_inside("query", "-p", address.url, _MORE, environment=reader.variables).status == 0
    files = {
        home / "config" / "dbtool" / "profiles.toml": _PROFILES.format(url=address.url),
        home / ".pg_service.conf": "[live2]\nhost=db.example.com\ndbname=shop\n",
        home / ".my.cnf": "[client]\nhost=db.example.com\nuser=app\n",
        directory / "rows.tsv": "1\tone\n",
        directory / "rows.csv": "a,b\n1,one\n",
        directory / "nightly.sql": "\\echo nightly\n\\i data.sql\n",
        directory / ".env": f"DATABASE_URL={address.url}\n",
        directory / "harlequin.toml": f'[profiles.prod]\nadapter = "postgres"\nconn_str = ["{address.url}"]\n',
    }
    for file, text in files.items():
        file.write_text(text)
    (home / ".config" / "fish" / "completions").mkdir(parents=True)
    if page.stem == "pool-bench":
        for name in ("main.json", "host-a.json", "host-b.json"):
            assert run_inside("pool-bench", "--json", name, environment=reader.variables, cwd=directory).status == 0
        for name in ("read", "order"):
            (directory / f"{name}.sql").write_text("select 1")
        (directory / "myapp").mkdir()
        (own,) = (block.text for block in read_blocks(page) if block.language == "python")
        (directory / "myapp" / "db.py").write_text(own)


def _make_up(order: Order, *_: object) -> Outcome:
    """Return what a load of ten seconds might have found."""
    return Outcome(reports=tuple(make_sound(subject.name, speed=8) for subject in order.subjects))


def _lay_out_other_engines(reader: Reader, mariadb: DatabaseAddress) -> None:
    """Make the shop on MariaDB and in an SQLite file."""
    (reader.directory / "shop.db").touch()
    sql = re.sub(r"(drop table if exists|truncate) orders, customers;", "", _SHOP + _ROWS)
    sql = sql.replace("references customers", "references customers (id)")
    for place in ("./shop.db", mariadb.url):
        done = run_inside("query", "-p", place, sql, "-q", environment=reader.variables, cwd=reader.directory)
        assert done.status == 0, done.err
    reader.stands_for = (*reader.stands_for, ("mysql://ada@localhost/shop", mariadb.url))


def _make_keyring() -> ModuleType:
    """Return a stand-in for the platform's keyring, where a page's reader keeps passwords."""
    module, kept = ModuleType("keyring"), dict[tuple[str, str], str]()
    module.set_password = lambda service, user, password: kept.__setitem__((service, user), password)  # type: ignore[attr-defined]
    module.get_password = lambda service, user: kept.get((service, user))  # type: ignore[attr-defined]
    return module


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_work(
    request: pytest.FixtureRequest, page: Path, reader: Reader, postgres_database: DatabaseAddress
) -> None:
    if page.stem == "first-look":
        _lay_out_other_engines(reader, request.getfixturevalue("mariadb_database"))
    else:
        _lay_out(reader, page, postgres_database)
    for block in (*read_blocks(page), *([read_tables(page)] if page == README else [])):
        reader.try_out(block)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("console", "$ dbtool --version\ndbtool 0.0.0\n"),
        ("console", "$ dbtool query --no-such-option\n"),
        ("sh", "dbtool query --no-such-option\n"),
        ("sh", "dbtool --version | false\n"),
        ("sh", "make no-such-target\n"),
        ("sh", "pip install '.[no-such-extra]'\n"),
        ("powershell", "dbtool completions no-such-shell | Out-String\n"),
        ("python", "import dbtool\ndbtool.no_such_name\n"),
        ("toml", '[profiles.x]\nengine = "sqlite"\nno-such-key = 1\n'),
        ("toml", "no-such-key = 1\n"),
        ("", "dbtool --version\n"),
    ],
)
def test_an_example_that_does_not_work_is_noticed(reader: Reader, language: str, text: str) -> None:
    with pytest.raises((AssertionError, AttributeError, subprocess.CalledProcessError)):
        reader.try_out(Block(place="here", language=language, text=text, typed=()))
