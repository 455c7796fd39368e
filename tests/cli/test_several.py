"""Commands on several profiles at a time."""

import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.running import Completed, run_dbtool, run_inside, start_dbtool
from tests.cli.terminal import on_terminal
from tests.servers.database import DatabaseAddress


class Many:
    """Several profiles, in one file: of SQLite unless they are added."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "profiles.toml"
        self.config.write_text("")

    def add(self, name: str, url: str, more: str = "") -> None:
        with self.config.open("a") as file:
            file.write(f'[profiles.{name}]\nurl = "{url}"\n{more}\n')

    def add_sqlite(self, *names: str, more: str = "") -> None:
        for name in names:
            path = self.directory / f"{name}.db"
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("create table t (x int, y text)")
                connection.execute("insert into t values (1, ?)", (name,))
            self.add(name, f"sqlite:///{path}", more)

    def run(self, *arguments: str, stdin: bytes | None = None) -> Completed:
        command, *rest = arguments
        return run_inside(command, "--config", self.config, *rest, cwd=self.directory, stdin=stdin)

    def summary(self) -> dict[str, dict[str, object]]:
        report = json.loads((self.directory / "s.json").read_text())
        return {target["profile"]: target for target in report["targets"]}


SUMMARY = ("--summary", "s.json")


@pytest.fixture
def many(tmp_path: Path) -> Many:
    made = Many(tmp_path)
    made.add_sqlite("a", "b", more='tags = ["x"]')
    return made


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and nobody will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port at which every connection is taken and none is answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("format_name", "shown"),
    [
        ("csv", "_profile,x,y\na,1,a\nb,1,b\n"),
        ("tsv", "_profile\tx\ty\na\t1\ta\nb\t1\tb\n"),
        ("json", '[\n{"_profile":"a","x":1,"y":"a"},\n{"_profile":"b","x":1,"y":"b"}\n]\n'),
        ("ndjson", '{"_profile":"a","x":1,"y":"a"}\n{"_profile":"b","x":1,"y":"b"}\n'),
        ("table", "_profile │ x │ y\n─────────┼───┼──\na        │ 1 │ a\nb        │ 1 │ b\n"),
        ("markdown", "| _profile | x | y |\n|---|---|---|\n| a | 1 | a |\n| b | 1 | b |\n"),
    ],
)
def test_the_first_column_names_the_profile_in_every_format(many: Many, format_name: str, shown: str) -> None:
    assert many.run("query", "-p", "a,b", "-F", format_name, "select * from t").text == shown


def test_bare_values_have_no_column_for_it(many: Many) -> None:
    assert many.run("query", "-p", "a,b", "-F", "value", "select y from t").text == "a\nb\n"


@pytest.mark.parametrize(
    "chosen", [("-p", "a", "-p", "b"), ("-p", "a,b"), ("-p", "?"), ("--tag", "x"), ("--all-profiles",)]
)
def test_profiles_are_chosen_by_name_pattern_and_tag_or_all(many: Many, chosen: Sequence[str]) -> None:
    assert many.run("query", *chosen, "select y from t").lines == ["_profile,y", "a,a", "b,b"]


def test_a_pattern_that_finds_one_answers_in_the_form_of_several(many: Many) -> None:
    assert many.run("query", "-p", "a*", "select 1 as n").lines == ["_profile,n", "a,1"]


def test_each_profile_has_a_file_of_its_own(many: Many) -> None:
    done = many.run("query", "-p", "a,b", "-o", "out-{profile}.csv", "select y from t")
    assert (done.status, done.out) == (0, b"")
    assert [(many.directory / f"out-{name}.csv").read_text() for name in "ab"] == ["y\na\n", "y\nb\n"]


def test_one_file_for_all_is_whole_or_not_there(many: Many, closed_port: int) -> None:
    assert many.run("query", "-p", "a,b", "-o", "all.csv", "select y from t").status == 0
    assert (many.directory / "all.csv").read_text() == "_profile,y\na,a\nb,b\n"
    (many.directory / "all.csv").unlink()
    many.add("down", f"postgresql://u@127.0.0.1:{closed_port}/x")
    done = many.run("query", "-p", "a,down", "-o", "all.csv", "select y from t")
    assert done.status == 3
    assert "all.csv was not written" in done.err
    assert not (many.directory / "all.csv").exists()


@pytest.mark.parametrize(
    ("profiles", "arguments", "status"),
    [
        ("a,b", ("select 1",), 0),
        ("a,down", ("select 1",), 3),
        ("down,down2", ("select 1",), 3),
        ("a,down", ("select nonsense",), 1),
        ("wrong,down", ("select 1",), 2),
        ("a,b", ("select 1", "--expect-rows", "2"), 5),
        ("a,down", ("select 1", "--expect-rows", "2"), 5),
        ("a,wrong", ("select nonsense",), 1),
        ("kept,other", ("delete from t",), 6),
    ],
)
def test_the_status_is_that_of_all_failures_or_of_the_worst(
    many: Many, closed_port: int, profiles: str, arguments: Sequence[str], status: int
) -> None:
    for name in ("down", "down2"):
        many.add(name, f"postgresql://u@127.0.0.1:{closed_port}/x")
    many.add("wrong", "sqlite:///missing.db")
    many.add_sqlite("kept", "other", more="protected = true")
    done = many.run("query", "-p", profiles, *arguments)
    assert done.status == status, done.err
    assert ("profiles failed: " in done.err) == (status != 0)


def test_the_summary_tells_of_each_in_json_and_junit(many: Many, closed_port: int) -> None:
    many.add("down", f"postgresql://u@127.0.0.1:{closed_port}/x")
    done = many.run("query", "-p", "a,down,b", "select y from t", *SUMMARY)
    assert done.text == "_profile,y\na,a\nb,b\n"
    found = many.summary()
    assert [(name, one["state"], one["status"], one["rows"]) for name, one in found.items()] == [
        ("a", "done", 0, 1), ("down", "failed", 3, 0), ("b", "done", 0, 1),
    ]  # fmt: skip
    assert "Connection refused" in str(found["down"]["message"])
    many.run("query", "-p", "a,down", "select y from t", "--summary", "s.xml")
    suite = ET.fromstring((many.directory / "s.xml").read_text())  # noqa: S314 - dbtool's own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


def test_writes_follow_each_other_and_stop_at_the_first_failure(many: Many) -> None:
    many.add_sqlite("c")
    run_inside("query", "-q", "-p", str(many.directory / "b.db"), "drop table t")
    done = many.run("query", "-p", "a,b,c", "delete from t", *SUMMARY)
    assert done.status == 1
    assert [one["state"] for one in many.summary().values()] == ["done", "failed", "not begun"]
    assert "1 of 3 profiles failed: b; not begun: c" in done.err
    left = many.run("query", "-p", "a,c", "-F", "csv", "select count(*) as n from t")
    assert left.lines == ["_profile,n", "a,0", "c,1"]


def test_nothing_is_written_where_one_of_the_profiles_may_not_be_or_cannot(many: Many) -> None:
    many.add_sqlite("kept", more="protected = true")
    many.add("wrong", "nonsense://x")
    for names, status in (("a,kept", 6), ("a,wrong", 2)):
        assert many.run("query", "-p", names, "delete from t").status == status
        assert many.run("query", "-p", "a", "select count(*) from t").lines[1] == "1"


@pytest.mark.parametrize(("confirmed", "status"), [((), 6), (("c",), 6), (("c", "d"), 0), (("c", "d", "e"), 6)])
def test_each_protected_profile_is_confirmed_by_its_name(many: Many, confirmed: Sequence[str], status: int) -> None:
    many.add_sqlite("c", "d", more="protected = true")
    options = [option for name in confirmed for option in ("--confirm", name)]
    done = many.run("query", "-p", "a,c,d", "--write", "update t set x = 2", *options)
    assert done.status == status, done.err
    expected = "2" if status == 0 else "1"
    assert many.run("query", "-p", "a", "select x from t").lines[1] == expected


def test_what_only_reads_is_held_to_it(many: Many) -> None:
    # A statement that is a query by its looks.
    done = many.run("query", "-p", "a,b", "pragma user_version = 7")
    assert many.run("query", "-p", "a", "pragma user_version").lines[1] == ("7" if done.status == 0 else "0")
    assert many.run("query", "-p", "a,b", "with q as (select 1) insert into t select 5, 'w' from q").status == 0


def test_expectations_hold_for_each_and_equal_answers_can_be_wanted(many: Many) -> None:
    assert many.run("query", "-p", "a,b", "--expect-value", "1", "select x from t").status == 0
    assert many.run("query", "-p", "a,b", "--expect-same", "select x from t").status == 0
    done = many.run("query", "-p", "a,b", "--expect-same", "select y from t")
    assert done.status == 5
    assert "b: --expect-same: row 1 is (b), that of a is (a)" in done.err


def test_standard_input_is_run_on_each(many: Many) -> None:
    assert many.run("query", "-p", "a,b", "-", stdin=b"select y from t;").lines == ["_profile,y", "a,a", "b,b"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-p", "a", "--jobs", "2", "select 1"), "--jobs is for several profiles"),
        (("-p", "a", "--expect-same", "select 1"), "--expect-same is for several profiles"),
        (("-p", "a,b", "--jobs", "0", "select 1"), "--jobs 0"),
        (("-p", "a,b", "--columns", "all", "select 1"), "--columns 'all'"),
        (("-p", "a,b", "--summary", "s.txt", "select 1"), "--summary s.txt"),
        (("-p", "a,b", "--canary", "--columns", "union", "select 1"), "not with --columns union"),
        (("-p", "a,b", "--stats", "select 1"), "--stats is for one profile"),
        (("-p", "a,b", "-o", "{profile}.csv", "--canary", "select 1"), "--canary asks on a terminal"),
        (("-p", "a", "--confirm", "a", "--confirm", "b", "select 1"), "--confirm is given twice"),
        (("-p", "a,zz", "select 1"), "no profile is named 'zz'"),
    ],
)
def test_what_means_nothing_is_refused(many: Many, arguments: Sequence[str], says: str) -> None:
    done = many.run("query", *arguments)
    assert done.status in {2, 6}
    assert says in done.err


def test_an_untrusted_project_is_not_reached_by_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "p.toml").write_text('[profiles.evil]\nurl = "postgresql://u@db.example/x"\n')
    for chosen in (("-p", "e*"), ("--all-profiles",)):
        done = run_inside("query", *chosen, "select 'secret'", "--timeout", "5s", cwd=tmp_path)
        assert done.status == 2
        assert "needs trust" in done.err


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:geheim@127.0.0.1:{port}/x",
        "postgresql://u:geheim@127.0.0.1:{port}/x?nokey=1",
        "mistyped://u:geheim@127.0.0.1:{port}/x",
        "host=127.0.0.1 port={port} password=geheim",
    ],
)
def test_a_password_in_an_address_is_shown_nowhere(many: Many, closed_port: int, address: str) -> None:
    for options in (SUMMARY, ("--summary", "s.xml"), ("-o", "{profile}.csv"), ("-q",)):
        done = many.run("query", "-p", address.format(port=closed_port), "-p", "a", "select 1", *options)
        assert done.status in {2, 3}
        assert "geheim" not in done.err + done.text
    kept = [path for path in many.directory.iterdir() if path.suffix in {".json", ".xml", ".csv"}]
    assert all("geheim" not in path.name + path.read_text() for path in kept)


def test_a_reader_that_has_gone_and_a_disk_that_is_full_end_it(many: Many) -> None:
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000) select i from n"
    with start_dbtool("query", "--config", many.config, "-p", "a,b", numbers, home=many.directory) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141
    with Path("/dev/full").open("wb") as full:
        done = run_dbtool("query", "--config", many.config, "-p", "a,b", numbers, stdout=full)
    assert done.status == 74
    assert "70" not in done.err


def test_the_catalogue_is_read_on_several(many: Many) -> None:
    assert many.run("tables", "-p", "a,b", "-F", "csv", "--no-header").lines == [
        "a,main,t,table,,,",
        "b,main,t,table,,,",
    ]
    described = json.loads(many.run("describe", "t", "-p", "a,b", "-F", "json").text)
    assert [one["_profile"] for one in described] == ["a", "b"]
    assert "== b ==" in many.run("describe", "t", "--tag", "x").text
    assert many.run("schema", "-p", "a,b").text.count("-- profile ") == 2
    assert many.run("search", "t", "-p", "a,b", "-F", "csv", "--no-header").text.count("\n") == 2


def test_a_server_that_says_nothing_delays_no_other(many: Many, silent_port: int) -> None:
    for number in range(9):
        many.add(f"silent{number}", f"postgresql://u@127.0.0.1:{silent_port}/x", 'connect_timeout = "3s"')
    many.add_sqlite("z")
    many.run("query", "-p", "silent*,z", "--unordered", "select 1", *SUMMARY)
    found = many.summary()
    assert found["z"]["state"] == "done"
    assert {one["status"] for name, one in found.items() if name != "z"} == {3}


@pytest.mark.timing
def test_healthy_profiles_are_done_before_one_that_hangs(many: Many, silent_port: int) -> None:
    for number in range(9):
        many.add(f"silent{number}", f"postgresql://u@127.0.0.1:{silent_port}/x", 'connect_timeout = "5s"')
    started = time.monotonic()
    process = start_dbtool(
        "query",
        "--config",
        many.config,
        "-p",
        "silent*,a,b",
        "--unordered",
        "select y from t",
        home=many.directory,
        cwd=many.directory,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0] == b"_profile,y\n"
    assert time.monotonic() - started < 4
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_three_engines_answer_side_by_side(
    many: Many, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    many.add("pg", postgres_database.url)
    many.add("my", mariadb_database.url)
    done = many.run("query", "-p", "a,pg,my", "-F", "json", "select 1 as n, 'x' as s")
    assert done.status == 0, done.err
    assert json.loads(done.text) == [{"_profile": name, "n": 1, "s": "x"} for name in ("a", "pg", "my")]
    assert many.run("query", "-p", "a,pg,my", "--expect-same", "select 1 as n, 'x' as s").status == 0
    assert many.run("tables", "-p", "pg,my", "--all", "-F", "csv").status == 0
    assert many.run("activity", "-p", "pg,my", "-F", "csv").text.count("\n") > 2


def test_a_signal_cancels_on_every_server_and_leaves_nothing_running(
    many: Many, postgres_database: DatabaseAddress, mariadb_database: DatabaseAddress
) -> None:
    many.add("pg", postgres_database.url)
    many.add("my", mariadb_database.url)
    engines = (
        ("pg", "pg_sleep", "pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()"),
        ("my", "sleep", "information_schema.processlist where info like '%sleep(60)%' and id <> connection_id()"),
    )
    for name, sleep, sessions in engines:
        listing = f"select count(*) from {sessions}"
        with start_dbtool(
            "query", "--config", many.config, "-p", f"{name},a", f"select {sleep}(60)", home=many.directory
        ) as process:
            _wait_until(lambda: many.run("query", "-p", name, listing).lines[1:] == ["1"])  # noqa: B023
            process.send_signal(signal.SIGINT)
            _out, err = process.communicate(timeout=30)
            assert process.returncode == 130, err
        _wait_until(lambda: many.run("query", "-p", name, listing).lines[1:] == ["0"])  # noqa: B023


def _wait_until(holds: object, seconds: float = 30) -> None:
    assert callable(holds)
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.mark.parametrize(
    "files",
    [
        ("-o", "s.json", *SUMMARY),
        ("-o", "x/../s.json", *SUMMARY),
        ("-o", "{profile}.json", "--summary", "b.json"),
        ("--summary", "nowhere/s.json"),
    ],
)
def test_files_that_cannot_be_as_they_are_wanted_are_known_before_anything_is_written(
    many: Many, files: Sequence[str]
) -> None:
    (many.directory / "x").mkdir()
    done = many.run("query", "-p", "a,b", "delete from t returning x", *files)
    assert done.status in {2, 74}
    assert "s.json" in done.err or "b.json" in done.err
    assert many.run("query", "-p", "a,b", "select count(*) from t").lines[1:] == ["a,1", "b,1"]


def test_ctrl_c_ends_the_wait_for_whoever_is_to_read_a_pipe(many: Many) -> None:
    os.mkfifo(many.directory / "pipe")
    with start_dbtool(
        "query", "--config", many.config, "-p", "a,b", "-o", many.directory / "pipe", "select 1", home=many.directory
    ) as process:
        # What it waits in is there once its other threads are.
        _wait_until(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) > 1)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130


def test_a_server_that_dies_in_the_middle_fails_alone(many: Many, postgres_database: DatabaseAddress) -> None:
    many.add("pg", postgres_database.url)
    dying = "select pg_terminate_backend(pg_backend_pid()) as y"
    done = many.run("query", "-p", "a,pg", dying, *SUMMARY)
    assert done.status == 1
    found = many.summary()
    assert found["pg"]["state"] == "failed"
    assert "pg" in done.err


def test_the_first_profile_is_shown_before_the_others_are_asked_for(many: Many) -> None:
    for answer, status in (("n", 6), ("y", 0)):
        with on_terminal(
            "query", "--config", many.config, "-p", "a,b", "--canary", "select y from t", home=many.directory
        ) as terminal:
            shown = terminal.wait_for("Go on with the other 1 profile?")
            assert "a" in shown.splitlines()[2]
            terminal.enter(answer)
            assert terminal.finish() == status


def test_memory_does_not_grow_with_the_rows_of_those_that_are_ahead(many: Many) -> None:
    many.add_sqlite("c")
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)"
    rows = f"{numbers} select i, 'xxxxxxxxxxxxxxxxxxxxxxxx' as s from n"
    with start_dbtool("query", "--config", many.config, "-p", "a,b,c", rows, home=many.directory) as process:
        assert process.stdout is not None
        peak = 0
        while os.read(process.stdout.fileno(), 1 << 16):
            peak = max(peak, _resident(process.pid))
    assert process.returncode == 0
    assert 0 < peak < 90 << 20


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")
