from __future__ import annotations

from typing import Any

import pytest

from dbtool.dialects.postgresql import POSTGRESQL
from dbtool.errors import ProfileError
from dbtool.profiles.changes.rewriting import add_profile
from dbtool.profiles.foreign.names import translate
from dbtool.profiles.importing import SOURCES, Found, read_found
from tests.profiles.world import World


def read(world: World, source: str, kind: str | None = None) -> dict[str, Found]:
    return {found.name: found for found in read_found(source, kind, world.environment)}


def read_text(world: World, name: str, text: str) -> dict[str, Found]:
    return read(world, str(world.write(world.project / name, text)))


def list_left_out(found: Found) -> dict[str, str]:
    return {left.what: left.why for left in found.left_out}


def test_a_url_comes_apart_and_its_password_stands_alone(world: World) -> None:
    found = read(world, "postgresql://app:s%40c@db.example.com:5433/shop?sslmode=require&connect_timeout=10")["shop"]
    assert found.values == {
        "engine": "postgresql",
        "host": "db.example.com",
        "port": 5433,
        "user": "app",
        "database": "shop",
        "tls": "require",
        "connect_timeout": "10s",
    }
    assert found.password == "s@c"
    assert "s@c" not in repr(found)


def test_parameters_that_mean_nothing_here_are_left_out_of_a_url(world: World) -> None:
    found = read(world, "postgresql://h/shop?schema=public&sslmode=require&pgbouncer=true")["shop"]
    assert found.values["tls"] == "require"
    assert list_left_out(found) == {
        "pgbouncer": "dbtool has no such setting",
    }


def test_what_frameworks_say_of_their_pools_is_kept_where_it_means_something(world: World) -> None:
    url = "postgresql+asyncpg://h1:1,h2:2/shop?pool_size=5&pool_timeout=3&pool_recycle=600&statement_cache_size=0"
    found = read(world, url)["shop"]
    assert found.values["host"] == "h1:1,h2:2"
    assert found.values["pool"] == {"max_connections": 5, "timeout": "3s", "stale_timeout": "600s"}
    assert set(list_left_out(found)) == {"statement_cache_size"}


def test_a_url_that_is_wrong_is_left_out_whole_without_being_quoted(world: World) -> None:
    (found,) = read_found("postgresql://app:pa/ss@h/db", None, world.environment)
    assert found.problem
    assert "pa/ss" not in found.problem
    assert found.values == {}


@pytest.mark.parametrize(
    ("scheme", "engine"),
    [
        ("postgres", "postgresql"),
        ("postgresql+asyncpg", "postgresql"),
        ("mysql2", "mysql"),
        ("mysql+aiomysql", "mysql"),
    ],
)
def test_other_libraries_names_for_an_engine_are_understood(world: World, scheme: str, engine: str) -> None:
    assert read(world, f"{scheme}://h/db")["db"].values["engine"] == engine


def test_text_that_only_looks_like_a_reference_is_quoted(world: World) -> None:
    found = read(world, "postgresql://h/a$%7BB%7D")
    (one,) = found.values()
    assert one.values["database"] == "a$${B}"


def test_each_entry_of_a_service_file_is_a_profile(world: World) -> None:
    text = """
        [shop db]
        host=/run/pg
        dbname=shop
        user=app
        password=hunter2
        application_name=x
        sslmode=allow
        [b]
        port=x
        """
    found = read_text(world, "pg_service.conf", text)
    assert list(found) == ["shop-db", "b"]
    shop = found["shop-db"]
    place = {"engine": "postgresql", "socket": "/run/pg", "database": "shop", "user": "app"}
    assert shop.values == {**place, "application_name": "x"}
    assert shop.password == "hunter2"
    assert set(list_left_out(shop)) == {"sslmode"}
    assert "port" in list_left_out(found["b"])


def test_the_service_file_is_found_where_libpq_looks(world: World) -> None:
    world.write(world.home / ".pg_service.conf", "[a]\nhost=h\n")
    assert list(read(world, "service")) == ["a"]
    world.variables["PGSERVICEFILE"] = str(world.write(world.root / "other", "[b]\nhost=h\n"))
    assert list(read(world, "service")) == ["b"]


def test_a_password_file_goes_on_giving_the_passwords_of_its_profiles(world: World) -> None:
    text = "# mine\ndb.example.com:*:shop:app:p\\:w\\\\\n*:*:*:*:x\nshort\n"
    world.write(world.home / ".pgpass", text)
    found = read(world, "pgpass")
    one = found["db-example-com-shop-app"]
    assert one.values == {"engine": "postgresql", "host": "db.example.com", "database": "shop", "user": "app"}
    assert (one.password, one.place) == ("p:w\\", f"{world.home / '.pgpass'}:2")
    assert one.password_stays
    assert [other.problem is not None for other in found.values()] == [False, True, True]
    elsewhere = world.write(world.root / ".pgpass", text)
    moved = read(world, str(elsewhere))["db-example-com-shop-app"]
    assert moved.values == {**one.values, "passfile": str(elsewhere)}


def test_the_clients_groups_of_an_option_file_are_one_profile_and_suffixes_more(world: World) -> None:
    text = """
        [client]
        user = root
        password = "s3#cret"
        ssl-mode = VERIFY_IDENTITY
        ssl
        [mysql]
        prompt = x
        [client_prod]
        host = prod.example.com
        [mysqldump]
        quick
        """
    found = read_text(world, ".my.cnf", text)
    assert list(found) == ["mysql", "prod"]
    file = str(world.project / ".my.cnf")
    assert found["mysql"].values == {"engine": "mysql", "user": "root", "tls": "verify-full", "option_file": file}
    assert found["prod"].values == {**found["mysql"].values, "host": "prod.example.com", "option_suffix": "_prod"}
    assert found["prod"].password == "s3#cret"
    assert list_left_out(found["mysql"]) == {"prompt": "it means nothing here"}


def test_a_group_of_mariadbs_own_makes_the_engine_mariadb(world: World) -> None:
    assert read_text(world, "my.cnf", "[client-mariadb]\nhost=h\n")["mariadb"].values["engine"] == "mariadb"


def test_every_database_url_of_a_dotenv_is_a_profile(world: World) -> None:
    text = """
        OTHER=postgres://no/no
        export DATABASE_URL="postgres://app:p#w@h/shop" # ours
        REPLICA_DATABASE_URL=mysql://u:${PW}@h/x # hi
        RAW_DATABASE_URL='mysql://u:${PW}@h/x'
        # OLD_DATABASE_URL=mysql://h/old
        EMPTY_DATABASE_URL=
        """
    found = read_text(world, ".env", text)
    assert list(found) == ["shop", "replica", "raw"]
    assert (found["shop"].password, found["shop"].place) == ("p#w", f"{world.project / '.env'}:3")
    assert (found["replica"].password, found["replica"].values["password"]) == (None, "${PW}")
    assert found["raw"].password == "${PW}"
    assert found["raw"].values["password"] == {"file": f"{world.project}/.env#RAW_DATABASE_URL"}


def test_harlequins_profiles_come_with_what_dbtool_can_use(world: World) -> None:
    text = """
        default_profile = "a"
        [profiles.a]
        adapter = "postgres"
        conn_str = ["postgres://u:p@h/db"]
        limit = 10
        [profiles.duck]
        conn_str = ["x.duckdb"]
        [profiles.files]
        adapter = "sqlite"
        conn_str = ["a.db", "b.db"]
        read_only = true
        [profiles.m]
        adapter = "mysql"
        host = "h"
        port = 3307
        password = "${MPW}"
        ssl-ca = "ca.pem"
        connection_timeout = 5
        """
    found = read_text(world, "harlequin.toml", text)
    assert found["a"].values == {"engine": "postgresql", "host": "h", "user": "u", "database": "db"}
    assert (found["a"].password, list(list_left_out(found["a"]))) == ("p", ["limit"])
    assert "duckdb" in (found["duck"].problem or "")
    assert found["files"].values == {
        "engine": "sqlite",
        "path": str(world.project / "a.db"),
        "read_only": True,
    }
    assert list(list_left_out(found["files"])) == ["conn_str"]
    assert found["m"].values == {
        "engine": "mysql",
        "host": "h",
        "port": 3307,
        "password": "${MPW}",
        "tls_ca": str(world.project / "ca.pem"),
        "connect_timeout": "5s",
    }


def test_harlequins_configuration_is_found_in_pyproject_too(world: World) -> None:
    table = '[tool.harlequin.profiles.a]\nadapter = "postgres"\nhost = "h"\n'
    world.write(world.project / "pyproject.toml", table)
    assert list(read(world, "harlequin")) == ["a"]
    world.write(world.project / ".harlequin.toml", '[profiles.nearer]\nadapter = "postgres"\n')
    assert list(read(world, "harlequin")) == ["nearer"]


def test_usqls_connections_are_urls_or_tables(world: World) -> None:
    text = """
        connections:
          pgs: pg://postgres:P4ss@localhost
          ora: oracle://x:secret@y
          absolute: sqlite3:///abs/x.db
          relative: "sqlite:rel.db"
          table: {proto: mysql, user: my user, pass: "p/w", host: h, port: 3307, database: d}
          file: {file: /x y.db}
          odd: 7
          secret: just-a-password
        """
    path = world.write(world.config.parent / "usql" / "config.yaml", text)
    found = read(world, "usql")
    assert found == read(world, str(path))
    assert found["pgs"].values == {"engine": "postgresql", "host": "localhost", "user": "postgres"}
    assert found["absolute"].values == {"engine": "sqlite", "path": "/abs/x.db"}
    assert found["relative"].values["path"] == str(world.project / "rel.db")
    assert found["table"].values == {"engine": "mysql", "host": "h", "port": 3307, "user": "my user", "database": "d"}
    assert found["table"].password == "p/w"
    assert found["file"].values["path"] == "/x y.db"
    assert [name for name, one in found.items() if one.problem] == ["ora", "odd", "secret"]
    assert "just-a-password" not in (found["secret"].problem or "")


@pytest.mark.parametrize(
    ("name", "text"),
    [("harlequin.toml", "[profiles.a"), ("usql.yaml", "a: [hunter2"), ("pyproject.toml", "x = ")],
)
def test_a_file_that_does_not_parse_is_an_error_with_its_line(world: World, name: str, text: str) -> None:
    with pytest.raises(ProfileError, match=f"{name}:1: ") as caught:
        read_text(world, name, text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_whose_file_does_not_exist_says_where_it_was_looked_for(world: World, source: str) -> None:
    with pytest.raises(ProfileError, match="there is none of"):
        read(world, source)


def test_what_a_file_is_can_be_said(world: World) -> None:
    path = world.write(world.project / "odd", "[a]\nhost=h\n")
    with pytest.raises(ProfileError, match="--from"):
        read(world, str(path))
    assert list(read(world, str(path), "service")) == ["a"]
    with pytest.raises(ProfileError, match="is not one of"):
        read(world, str(path), "other")
    with pytest.raises(ProfileError, match="neither a URL"):
        read(world, "missing")


_FILES: dict[str, str] = {
    ".pgpass": "h:1:d:u:p\n",
    "my.cnf": "[client]\nhost=h\nssl\n",
    ".env": "DATABASE_URL=sqlite:///x.db?mode=rwc\n",
    "pg_service.conf": "[a]\nhost=a,b\ntarget_session_attrs=any\nconnect_timeout=3\n",
    "usql.yaml": "connections:\n  a: my://u@h/d\n",
}


@pytest.mark.parametrize("name", _FILES)
def test_what_is_imported_is_a_valid_profile(world: World, name: str) -> None:
    ((found_name, found),) = read_text(world, name, _FILES[name]).items()
    values: dict[str, Any] = dict(found.values)
    world.write_user(add_profile("", found_name, values))
    world.get(found_name)
    assert not found.left_out


def test_an_address_without_a_name_is_the_host_of_an_imported_service() -> None:
    assert translate("hostaddr", "10.1.2.3", POSTGRESQL.settings) == {"libpq.hostaddr": "10.1.2.3"}
