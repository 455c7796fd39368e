"""The quick way in reads what Typer reads, or leaves it to Typer; and its table is that of the app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dbtool.cli import app, fast_path, quick_table
from dbtool.cli.query import request as query_request
from dbtool.cli.switch import current, switching
from dbtool.environment import Environment
from dbtool.records import Record
from tests import scale
from tests.cli import generate_quick_table
from tests.cli.running import run_dbtool

_QUERY, _SWITCH, _CURRENT = "query", "switch", "current"


class _Recorder:
    """Stands where the work of a command begins, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def run_query(self, _environment: Environment, asked: object) -> None:
        self.asked.append(asked)

    def run_current(self, _environment: Environment, asked: object) -> int:
        self.asked.append(asked)
        return 0

    def make_switcher(self, _environment: Environment, asked: object) -> Any:
        self.asked.append(asked)
        return self

    def run(self) -> None:
        """Do nothing, as the switcher."""


@pytest.fixture(scope="module")
def recorder() -> Any:
    recorder = _Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query_request, "run_query", recorder.run_query)
        patch.setattr(current, "run_current", recorder.run_current)
        patch.setattr(switching, "Switcher", recorder.make_switcher)
        yield recorder


def _ask_typer(recorder: _Recorder, arguments: Sequence[str]) -> object:
    """Return what Typer asks of the command's function, None where it has an error or shows help."""
    recorder.asked.clear()
    app.run(arguments)
    return recorder.asked[0] if recorder.asked else None


def _ask_quickly(recorder: _Recorder, arguments: Sequence[str]) -> object:
    """Return what the quick way asks of the same function, None where it leaves the line to Typer."""
    recorder.asked.clear()
    action = fast_path.find_action(arguments)
    assert not recorder.asked, "something ran before the whole line was read"
    if action is None:
        return None
    assert action(_ANYWHERE) == 0
    return recorder.asked[0]


_ANYWHERE: Any = None
"""The recorder needs no environment."""

_NAMES = sorted({name for options in quick_table.OPTIONS.values() for name in options})
_VALUES = [
    *("", "-", "--", "x", "a=b", "=", "-1", "-5", "+5", "5", "007", " 5", "5 ", "1_000", "٣", "1.5", "0", "9" * 30),
    *("9" * 5000, "30s", "1h30m", "1 h", "soon", "1e3", "inf", "250MS", "id:=7", "n@=f", "prod", "demo.db", "~/x"),
    *("select 1", "-- note\nselect 1", "--\tnote", "-x", "-p", "--profile", "--write", "bash", "fish", "\udcff", "\0"),
    *("last", "digits", "all", "5m\n", "none", "\u00b5s", "5\u00b5s", "--shell", "profiles", "h", "%s"),
]
_SPELLINGS = [
    *_NAMES,
    *(
        "--prof",
        "--no-write",
        "--help",
        "-h",
        "--version",
        "--unknown",
        "--shell",
        "--Profile",
        "-P",
        "-x",
        "-1q",
        "-q1",
    ),
    *("-qp", "-pq", "-1n", "-fv", "---profile", "-profile"),
]
_WORDS = st.one_of(
    st.sampled_from(_SPELLINGS),
    st.sampled_from(_VALUES),
    st.text(max_size=6),
    st.builds("{}={}".format, st.sampled_from(_SPELLINGS), st.sampled_from(_VALUES)),
    st.builds("{}{}".format, st.sampled_from(_SPELLINGS), st.sampled_from(_VALUES)),
    st.builds("-{}".format, st.text("pfvFon1qhxX-=", max_size=4)),
)
_PAIRS = st.one_of(
    _WORDS.map(lambda word: [word]),
    st.tuples(st.sampled_from(_SPELLINGS), st.one_of(st.sampled_from(_VALUES), st.text(max_size=4))).map(list),
)
_LINES = st.lists(_PAIRS, max_size=5).map(lambda parts: [word for part in parts for word in part])


@settings(max_examples=scale.COMMAND_LINES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([_QUERY, _QUERY, _SWITCH, _CURRENT]), words=_LINES)
@example(name=_QUERY, words=["-n", "9" * 5000])
@example(name=_SWITCH, words=["--shell", "prod"])
@example(name=_QUERY, words=["--confirm=--", "-f-", "-p=x"])
def test_what_the_quick_way_reads_is_what_typer_reads(recorder: _Recorder, name: str, words: list[str]) -> None:
    quick = _ask_quickly(recorder, [name, *words])
    if quick is not None:
        assert quick == _ask_typer(recorder, [name, *words])


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (("query", "select 1"), {"sql": ["select 1"]}),
        (("query",), {}),
        (("query", "-p", "prod", "select 1"), {"profiles": ["prod"], "sql": ["select 1"]}),
        (("query", "-pprod", "-"), {"profiles": ["prod"], "sql": ["-"]}),
        (("query", "--profile=prod", "a", "-q", "b"), {"profiles": ["prod"], "sql": ["a", "b"], "quiet": True}),
        (("query", "-1"), {"single_transaction": True}),
        (("query", "-f", "a.sql", "-fb.sql", "--file=c=d", "-f", "-"), {"file": ["a.sql", "b.sql", "c=d", "-"]}),
        (("query", "-v", "id:=7", "-vx=y=z", "s"), {"param": ["id:=7", "x=y=z"], "sql": ["s"]}),
        (("query", "-n", "5", "--result=2"), {"limit": 5, "result": "2"}),
        (("query", "-n0", "--null", ""), {"limit": 0, "null": ""}),
        (("query", "--null=--", "--null-", "x"), None),
        (("query", "--timeout", "1m30s", "--wait=250ms"), {"timeout": 90.0, "wait": 0.25}),
        (("query", "--statement-timeout", "0"), {"statement_timeout": 0.0}),
        (("query", "-o", "x.csv", "-Fjson"), {"output": Path("x.csv"), "format_name": "json"}),
        (("query", "-- a note\nselect 1", "-q"), {"sql": [" -- a note\nselect 1"], "quiet": True}),
        (("query", "--debug", "--stats", "--write", "--no-header"), {"stats": True, "write": True, "no_header": True}),
        (("query", "--dry-run", "--keep-going"), {"dry_run": True, "keep_going": True}),
        (("switch", "prod"), {"name": "prod"}),
        (("switch", "-"), {"name": "-"}),
        (("switch", "prod", "--for", "15m"), {"name": "prod", "seconds": 900.0}),
        (("switch", "--unset", "--config=x"), {"unset": True, "config": "x"}),
        (("current",), {}),
        (("current", "--prompt", "zsh", "-p", "prod"), {"prompt": "zsh", "profiles": ["prod"]}),
        (("current", "--explain", "-F", "json"), {"explain": True, "format_name": "json"}),
    ],
)  # fmt: skip
def test_an_ordinary_command_line_is_read_without_typer(
    recorder: _Recorder, line: tuple[str, ...], asked: dict[str, object] | None
) -> None:
    quick = _ask_quickly(recorder, line)
    if asked is None:
        assert quick is None
        return
    assert isinstance(quick, Record)
    defaults = quick_table.DEFAULTS[line[0]]
    assert {name: getattr(quick, name) for name in quick.field_names()} == {**defaults, **asked}
    assert quick == _ask_typer(recorder, line)


@pytest.mark.parametrize(
    "line",
    [
        (),
        ("--help",),
        ("--version",),
        ("profile", "list"),
        ("completions", "bash"),
        ("qery", "select 1"),
        ("query", "--help"),
        ("query", "-h"),
        ("query", "--", "select 1"),
        ("query", "-p"),
        ("query", "--profile"),
        ("query", "-p", "--write"),
        ("query", "--prof", "a"),
        ("query", "-q1"),
        ("query", "-1q"),
        ("query", "--write=yes"),
        ("query", "-n", "-1"),
        ("query", "-n", "few"),
        ("query", "--timeout", "soon"),
        ("query", "--unknown"),
        ("switch", "a", "b"),
        ("switch", "prod", "--shell"),
        ("switch", "prod", "--shell=fish"),
        ("current", "prod"),
        ("__complete",),
        ("__complete", "tables"),
    ],
)
def test_whatever_is_not_plain_is_left_to_typer(line: tuple[str, ...]) -> None:
    assert fast_path.find_action(line) is None


def test_the_committed_table_is_that_of_the_app() -> None:
    assert generate_quick_table.TABLE.read_text() == generate_quick_table.render(), "run: make completions"


def test_every_option_of_the_served_commands_is_in_the_table_but_those_that_need_typer() -> None:
    missing = {
        name: [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
        for name, command in app.build().commands.items()
        if name in fast_path.SERVED
    }
    left = {name: set(options) - set(quick_table.OPTIONS[name]) for name, options in missing.items()}
    assert left == {"query": set(), "run": set(), "tables": set(), "current": set(), "switch": {"--shell"}}


def test_a_command_that_fails_has_run_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []

    def fail(*_arguments: object) -> int:
        runs.append(1)
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(current, "run_current", fail)
    assert fast_path.run(["current"]) == 70
    assert (len(runs), capsys.readouterr().err.count("\n")) == (1, 1)


def test_a_fault_in_reading_the_line_is_shown_with_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fast_path, "read_values", lambda *_arguments: 1 // 0)
    assert fast_path.run(["current", "--debug"]) == 70
    shown = capsys.readouterr().err
    assert "Traceback (most recent call last)" in shown
    assert shown.endswith("run it again with --debug to see where\n")


@pytest.mark.parametrize("line", [("query", "-p", "sqlite://:memory:", "select 1"), ("--version",)])
def test_a_variable_of_typers_own_completion_changes_nothing(line: tuple[str, ...]) -> None:
    plain = run_dbtool(*line)
    for variable in ("_DBTOOL_COMPLETE", "_PYTHON__M_DBTOOL_COMPLETE", "_PYTHON _M DBTOOL_COMPLETE"):
        assert run_dbtool(*line, environment={variable: "complete_bash"}) == plain
