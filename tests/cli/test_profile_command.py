from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.running import Completed, run_inside
from tests.servers.database import DatabaseAddress
from tests.servers.postgres import PostgresServer
from tests.servers.processes import HOST, find_free_port

SECRET = "s3cret-\u00e9"


def profile(*arguments: str | Path, config: Path, **variables: str) -> Completed:
    return run_inside("profile", *arguments, "--config", config, environment=variables, cwd=config.parent)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "profiles.toml"
    path.write_text(
        f"""default = "local"

[profiles.base]
engine = "postgresql"
host = "{HOST}"
port = {find_free_port()}
user = "app"
connect_timeout = "3s"

[profiles.prod]
extends = "base"
database = "shop"
password = "{SECRET}"
protected = true
tags = ["eu", "primary"]

[profiles.local]
engine = "sqlite"
path = ":memory:"

[profiles.wrong]
engine = "sqlite"
pth = "x"
"""
    )
    return path


def test_a_list_marks_the_active_profile_and_names_each_ones_place(config: Path) -> None:
    listed = profile("list", "-F", "json", config=config)
    assert (listed.status, listed.err) == (0, "")
    rows = {row["name"]: row for row in json.loads(listed.out)}
    assert [name for name, row in rows.items() if row["active"]] == ["local"]
    assert rows["prod"]["source"] == f"{config}:10"
    assert (rows["prod"]["guard"], rows["prod"]["tags"]) == ("protected", "eu, primary")
    assert "path" in rows["wrong"]["problem"]
    assert SECRET not in listed.text
    # Tables everywhere, whatever stdout is.
    table = profile("list", config=config, DBTOOL_PROFILE="prod")
    assert [line.split()[0] for line in table.lines[2:]].count("*") == 1
    assert "prod" in next(line for line in table.lines if line.startswith("*"))


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_a_list_for_a_program_has_the_same_columns_whether_or_not_something_is_wrong(
    format_name: str, config: Path
) -> None:
    def list_columns() -> str:
        listed = profile("list", "-F", format_name, config=config)
        return listed.lines[0] if format_name == "csv" else ",".join(json.loads(listed.out)[0])

    wrong = list_columns()
    config.write_text(config.read_text().partition("[profiles.wrong]")[0])
    assert list_columns() == wrong
    assert wrong.endswith(",problem")
    assert "problem" not in profile("list", config=config).text


def test_a_profile_is_shown_with_what_it_inherits_and_its_secret_masked(config: Path) -> None:
    shown = profile("show", "prod", "-F", "json", config=config)
    assert shown.status == 0
    rows = {row["key"]: row for row in json.loads(shown.out)}
    assert rows["host"]["value"] == HOST
    assert rows["connect_timeout"] == {"key": "connect_timeout", "value": "3s", "from": ""}
    assert rows["pool.max_connections"]["from"] == "default"
    assert set(rows["password"]["value"]) == {"*"}
    assert SECRET not in shown.text
    missing = profile("show", "prd", config=config)
    assert (missing.status, missing.out) == (2, b"")
    assert "prod" in missing.err


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('{ env = "PASSWORD" }', "env PASSWORD"),
        ('{ file = "/run/password" }', "file /run/password"),
        ('{ keyring = "dbtool/a" }', "keyring dbtool/a"),
    ],
)
def test_a_reference_to_a_secret_is_shown_and_not_followed(written: str, shown: str, tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(f'[profiles.a]\nengine = "mysql"\npassword = {written}\n')
    rows = {row["key"]: row["value"] for row in json.loads(profile("show", "a", "-F", "json", config=config).out)}
    assert rows["password"] == shown


def test_a_command_is_shown_without_its_arguments(tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(
        """[profiles.a]
engine = "mysql"
password = { command = ["pass", "s3cret"] }
restart = ["ssh", "-i", "s3cret"]
"""
    )
    rows = {row["key"]: row["value"] for row in json.loads(profile("show", "a", "-F", "json", config=config).out)}
    assert (rows["password"], rows["restart"]) == ("command pass ...", "command ssh ...")


def test_a_check_reports_all_and_its_status_is_the_worst(config: Path) -> None:
    done = profile("check", "--all", "-F", "json", config=config)
    assert done.status == 3
    rows = {row["profile"]: row for row in json.loads(done.out)}
    assert (rows["local"]["status"], rows["local"]["access"], rows["local"]["tls"]) == ("ok", "read-write", "none")
    assert rows["local"]["server"].startswith("SQLite 3.")
    assert rows["prod"]["status"] == "unreachable"
    assert "refused" in rows["prod"]["problem"]
    assert rows["wrong"]["status"] == "failed"
    assert SECRET not in done.text + done.err
    assert profile("check", config=config).status == 0
    assert profile("check", "local", "wrong", config=config).status == 2
    assert profile("check", "nobody", config=config).status == 2
    assert profile("check", "local", "--all", config=config).status == 2


def test_a_check_of_all_leaves_out_bases_and_nothing_that_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(
        """[profiles.base]
busy_timeout = "1s"

[profiles.good]
extends = "base"
engine = "sqlite"
path = ":memory:"

[profiles.typo]
engine = "postgre"

[profiles.empty]
user = "app"
"""
    )
    done = profile("check", "--all", "-F", "json", config=config)
    assert {row["profile"]: row["status"] for row in json.loads(done.out)} == {
        "good": "ok",
        "typo": "failed",
        "empty": "failed",
    }
    assert done.status == 2


@pytest.mark.parametrize("format_name", ["yaml", "value"])
def test_a_check_that_cannot_be_listed_connects_nowhere(format_name: str, tmp_path: Path) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text('[profiles.new]\nengine = "sqlite"\npath = "new.db"\ncreate = true\n')
    done = profile("check", "new", "-F", format_name, config=config)
    assert (done.status, done.out, format_name in done.err) == (2, b"", True)
    assert not (tmp_path / "new.db").exists()


def test_a_check_for_ci_is_junit_xml(config: Path) -> None:
    done = profile("check", "--all", "-F", "junit", config=config)
    suite = ET.fromstring(done.out)  # noqa: S314 - what dbtool itself has written
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert suite.attrib["tests"] == str(len(cases))
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {"base", "prod", "wrong"}
    assert suite.attrib["failures"] == "3"
    assert (done.status, SECRET in done.text) == (3, False)


def test_a_check_connects_with_the_profiles_own_secret_and_guard(
    postgres_new: PostgresServer, mariadb_database: DatabaseAddress, tmp_path: Path
) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text(
        f"""[profiles.guarded]
engine = "postgresql"
host = "{postgres_new.host}"
port = {postgres_new.port}
user = "postgres"
database = "postgres"
password = {{ env = "THE_PASSWORD" }}
read_only = true

[profiles.maria]
url = "{mariadb_database.url}"
"""
    )
    done = profile("check", "--all", "-F", "json", config=config, THE_PASSWORD=postgres_new.password or "")
    rows = {row["profile"]: row for row in json.loads(done.out)}
    assert (done.status, done.err) == (0, "")
    assert rows["guarded"]["access"] == "read-only"
    assert rows["guarded"]["server"].startswith("PostgreSQL ")
    assert rows["maria"]["server"].startswith(("MariaDB ", "MySQL "))
    assert all(float(row["latency_ms"]) > 0 for row in rows.values())
    wrong = profile("check", "guarded", config=config, THE_PASSWORD="wr0ng")
    assert wrong.status == 2
    assert "wr0ng" not in wrong.text + wrong.err
    assert profile("check", "guarded", config=config).status == 2


def test_the_files_that_count_and_those_passed_over_are_listed(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "team.toml").write_text('[profiles.a]\nengine = "sqlite"\npath = "a.db"\n')
    (tmp_path / "profiles" / "other.toml").write_text("[tool]\nx = 1\n")
    listed = run_inside("profile", "path", "-F", "json", cwd=tmp_path)
    rows = {Path(row["file"]).name: row for row in json.loads(listed.out)}
    assert (rows["team.toml"]["scope"], rows["team.toml"]["profiles"]) == ("project", "1")
    assert rows["other.toml"]["scope"] == "ignored"
    assert "not trusted" in rows["team.toml"]["trust"]


@pytest.mark.parametrize("format_name", ["table", "csv", "tsv", "json", "ndjson", "markdown", "vertical"])
def test_a_directory_whose_name_is_no_utf8_can_be_listed(format_name: str, tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"caf\xe9")
    project.mkdir()
    (project / "dbtool.toml").write_text('[profiles.a]\nengine = "sqlite"\npath = "a.db"\n')
    for command in (("profile", "list"), ("profile", "path"), ("current", "--explain")):
        done = run_inside(*command, "-F", format_name, cwd=project)
        assert (done.status, done.err) == (0, "")
        assert "udce9" in done.text
    junit = run_inside("profile", "check", "-F", "junit", cwd=project)
    assert junit.status == 2
    assert "udce9" in ET.fromstring(junit.out).find(".//failure").attrib["message"]  # type: ignore[union-attr]  # noqa: S314


def test_what_a_project_refers_to_is_used_once_it_is_trusted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    project = tmp_path / "project"
    home.mkdir()
    project.mkdir()
    file = project / "dbtool.toml"
    file.write_text('[profiles.a]\nengine = "sqlite"\npath = "${SHOP}"\n')
    (project / "shop.db").touch()
    variables = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "SHOP": "shop.db"}

    def query() -> Completed:
        return run_inside("query", "select 1 as a", environment=variables, cwd=project)

    refused = query()
    assert (refused.status, refused.out) == (2, b"")
    assert f"{file}:3" in refused.err
    assert "dbtool profile trust" in refused.err
    trusted = run_inside("profile", "trust", environment=variables, cwd=project)
    assert (trusted.status, trusted.lines) == (0, [str(file)])
    assert query().out == b"a\n1\n"
    file.write_text(file.read_text() + "# changed\n")
    assert query().status == 2
    as_in_ci = run_inside("query", "select 1 as a", environment={**variables, "DBTOOL_TRUST_PROJECT": "1"}, cwd=project)
    assert as_in_ci.out == b"a\n1\n"
