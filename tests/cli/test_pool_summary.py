"""What pool-bench says of its outcome: rows on stdout, details on stderr."""

from __future__ import annotations

import io
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.load.histogram import Histogram
from dbtool.bench.reports.report import Fairness, Gate, Harness, Report
from dbtool.cli.pool_bench import drawing as pool_drawing
from dbtool.cli.pool_bench.drawing import draw_details
from dbtool.cli.pool_bench.findings import describe_duration, describe_verdict, list_findings, write_profile_lines
from dbtool.cli.pool_bench.summary import show_details, summary_columns, summary_rows
from dbtool.cli.pool_bench.tables import tabulate_bleed, tabulate_histogram, tabulate_latencies, tabulate_sweep
from dbtool.cli.terminal.listing import print_listing
from dbtool.result import Value
from dbtool.text import parse_duration
from tests.cli import pool_golden
from tests.cli.pool_samples import (
    HOSTILE,
    make_empty,
    make_environment,
    make_failed,
    make_hostile,
    make_load,
    make_many,
    make_refused,
    make_sound,
    make_swept,
)

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def _cells(report: Report) -> dict[str, Value]:
    (row,) = summary_rows([report])
    return dict(zip((column.name for column in summary_columns()), row, strict=True))


def _say(report: Report) -> dict[str, str]:
    return {finding.topic: finding.text for finding in list_findings(report)}


def _warned(report: Report) -> set[str]:
    return {finding.topic for finding in list_findings(report) if finding.is_warning}


def _draw_narrow(monkeypatch: pytest.MonkeyPatch, reports: Sequence[Report], columns: int) -> str:
    monkeypatch.setattr(pool_drawing, "stderr_columns", lambda _: columns)
    return draw_details(make_environment(), reports)


@pytest.mark.parametrize("case", pool_golden.CASES)
def test_the_details_are_as_the_golden_file_says(case: str) -> None:
    assert pool_golden.make(case) == (pool_golden.DIRECTORY / case).read_text(encoding="utf-8")


def test_every_golden_file_has_a_case() -> None:
    assert {path.name for path in pool_golden.DIRECTORY.iterdir()} - {".gitattributes"} == set(pool_golden.CASES)


def test_the_verdict_comes_first() -> None:
    assert summary_columns()[0].name == "verdict"
    assert [row[0] for row in summary_rows([make_sound(), make_failed()])] == ["pass", "fail"]


def test_a_row_tells_times_in_milliseconds_and_names_the_failed_gates() -> None:
    report = make_failed()
    cells = _cells(report)
    assert cells["pool"] == "peewee"
    assert cells["failed"] == "bleed, starvation"
    assert float(str(cells["p99_ms"])) == pytest.approx(report.measures.acquire.p99 * 1000, abs=1e-3)
    assert cells["jain"] == "0.250"


def test_what_was_not_measured_is_null_in_a_row() -> None:
    cells = _cells(make_empty())
    unmeasured = {name for name, cell in cells.items() if cell is None}
    assert unmeasured == {"p99_ms", "max_ms", "jain"}
    assert cells["failed"] == ""


def test_the_rows_go_through_the_ordinary_formats() -> None:
    environment = make_environment()
    print_listing(environment, summary_columns(), summary_rows([make_failed(), make_empty()]), format_name="json")
    assert isinstance(environment.stdout, io.BytesIO)
    failed, empty = json.loads(environment.stdout.getvalue())
    assert (failed["verdict"], failed["failures"], failed["throughput"]) == ("fail", 17, 965.0)
    assert empty["jain"] is None


def test_a_verdict_gives_its_reasons() -> None:
    assert describe_verdict(make_sound()) == "pass - fair, bounded, clean"
    assert describe_verdict(make_failed()).startswith("FAIL - bleed: advisory lock reached the next borrower; starvat")


def test_a_gate_that_was_skipped_earns_no_praise() -> None:
    gates = tuple(replace(gate, status="skipped") for gate in make_sound().gates)
    assert describe_verdict(replace(make_sound(), gates=gates)) == "pass"


def test_a_gate_that_failed_without_a_word_is_named_all_the_same() -> None:
    assert (
        describe_verdict(replace(make_failed(), gates=(Gate(name="fork", status="fail", detail=""),))) == "FAIL - fork"
    )


def test_a_closed_loop_is_labelled_as_one() -> None:
    assert "never sent" in _say(make_sound())["closed loop"]
    assert "closed loop" not in _say(make_refused())
    assert "was due" in _say(make_refused())["open loop"]


def test_a_run_that_its_generator_bound_says_so_aloud() -> None:
    assert "the generator was the limit" in _say(make_refused())["client-bound"]
    assert "client-bound" in _warned(make_refused())
    assert "client-bound" not in _say(make_sound())


def test_what_a_reader_should_look_at_is_a_warning() -> None:
    assert _warned(make_sound()) == set()
    assert _warned(make_failed()) == {"requests", "fairness", "waits of 1 s", "cold storm"}


def test_a_failed_timeout_gate_marks_the_timeout() -> None:
    gates = (Gate(name="timeout", status="fail", detail="1.5s late"),)
    assert "timeout" in _warned(replace(make_failed(), gates=gates))


def test_a_gate_of_fairness_that_failed_marks_the_fairness_though_nobody_starved() -> None:
    report = make_failed()
    fairness = Fairness(jain=0.7, min_turns=3, max_turns=90)
    assert "fairness" in _warned(replace(report, measures=replace(report.measures, fairness=fairness)))


def test_a_harness_that_was_not_measured_is_left_out() -> None:
    report = make_sound()
    assert "harness" in _say(report)
    assert "harness" not in _say(replace(report, measures=replace(report.measures, harness=Harness())))


def test_an_early_end_of_a_wait_is_said_to_be_early() -> None:
    assert _say(make_failed())["timeout"].endswith("the earliest 200ms early")
    assert _say(make_sound())["timeout"].endswith("the earliest 100us late")


def test_off_a_terminal_nothing_is_coloured_and_no_line_is_wider_than_100() -> None:
    for reports in pool_golden.CASES.values():
        text = draw_details(make_environment(), reports)
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= 100


def test_on_a_terminal_it_is_coloured_unless_the_variables_say_no() -> None:
    colored = draw_details(make_environment(is_terminal=True), [make_failed()])
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        environment = make_environment(is_terminal=True, variables=variables)
        assert "\x1b" not in draw_details(environment, [make_failed()])
    assert "\x1b[1;31mFAIL" in colored
    assert "\x1b[32mpass" in colored
    assert "\x1b" not in _STYLE.sub("", colored)


def test_variables_that_rich_would_obey_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = draw_details(make_environment(), [make_failed()])
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "40", "TTY_COMPATIBLE": "1"}.items():
        monkeypatch.setenv(name, value)
    assert draw_details(make_environment(), [make_failed()]) == plain


def test_neither_markup_nor_an_escape_is_read_out_of_the_data() -> None:
    text = draw_details(make_environment(is_terminal=True), [make_hostile()])
    assert "\x1b[31mred" not in text
    assert "\\x1b[31mred" in text
    assert "[bold]b[/b]" in text


@pytest.mark.parametrize("columns", [20, 40, 60, 80])
def test_no_number_is_cut_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    report = make_swept()
    text = _draw_narrow(monkeypatch, [report], columns)
    numbers = {
        cell for table in (tabulate_latencies([report]), tabulate_sweep([report])) for row in table.rows for cell in row
    }
    assert {number for number in numbers if number not in text} == set()


@pytest.mark.parametrize("columns", [20, 50, 80, 100, 120])
def test_folding_loses_no_character(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    reports = [replace(report, histograms={}) for report in (*make_many(), make_failed(HOSTILE))]

    def count_characters(width: int) -> Counter[str]:
        return Counter("".join(_draw_narrow(monkeypatch, reports, width).replace("─", "").split()))

    assert count_characters(columns) == count_characters(1000)


def test_where_there_is_no_room_bars_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert text_of_sweep(_draw_narrow(monkeypatch, [make_swept()], 100)).count("█") > 50
    assert "█" not in text_of_sweep(_draw_narrow(monkeypatch, [make_swept()], 60))


@pytest.mark.parametrize("columns", range(70, 96))
def test_bars_take_what_the_other_columns_leave(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    report = replace(make_swept(), histograms={})
    drawn = text_of_sweep(_draw_narrow(monkeypatch, [report], columns)).splitlines()
    assert max(map(len, drawn)) <= columns
    (best,) = [line for line in drawn if "recommended" in line]
    assert "7,760/s" in best
    # The table's other columns take 67 of the screen's.
    assert best.count("█") == (min(columns - 67, 24) if columns >= 77 else 0)


def text_of_sweep(text: str) -> str:
    """Return the part of the details that the sweep is drawn in."""
    return text.partition("  Sweep\n")[2].partition("recommended size")[0]


def test_the_longest_bar_is_full_and_the_shortest_can_be_seen() -> None:
    histogram = Histogram()
    for _ in range(10_000):
        histogram.record(0.0015)
    histogram.record(0.3)
    lines = draw_details(make_environment(), [replace(make_sound(), histograms={"acquire": histogram})]).splitlines()
    (most,) = [line for line in lines if "10,000" in line]
    (least,) = [line for line in lines if "0.01%" in line]
    assert most.count("█") == 24
    assert least.endswith(" ▏")


def test_in_an_open_loop_the_bars_show_the_time_from_when_a_request_was_due() -> None:
    closed, open_ = make_sound(), replace(make_sound(), load=make_load(rate=500))
    assert "Latency of acquire" in draw_details(make_environment(), [closed])
    assert "Latency of total" in draw_details(make_environment(), [open_])


def test_several_pools_share_one_bleed_matrix() -> None:
    text = draw_details(make_environment(), [make_sound(), make_failed()])
    assert text.count("Session state that reached the next borrower") == 1
    table = tabulate_bleed([make_sound(), make_failed()])
    assert table.header == ("state", "dbtool", "peewee")
    assert {row[0]: row[1:] for row in table.rows}["advisory lock"] == ("clean", "leaked")


def test_a_state_that_a_pool_was_not_tried_with_is_untried() -> None:
    rows = {row[0]: row[1:] for row in tabulate_bleed([make_sound(), make_failed()]).rows}
    assert rows["setting"] == ("clean", "untried")
    assert rows["isolation level"] == ("untried", "untried")


def test_whose_gates_decide_is_said_where_there_are_several_pools() -> None:
    assert "The exit status is that of dbtool" in draw_details(make_environment(), [make_sound(), make_failed()])
    assert "exit status" not in draw_details(make_environment(), [make_failed()])


def test_a_recommendation_comes_with_the_lines_to_paste() -> None:
    text = draw_details(make_environment(), [make_swept()])
    assert "16 connections (interval 12 to 18): the fewest" in text
    pasted = text.partition("[profiles")[2].partition("\n\n")[0]
    assert tomllib.loads(f"[profiles{pasted}") == {"profiles": {"prod": {"pool": {"max_connections": 16}}}}


def test_a_refusal_to_recommend_gives_its_reason_and_no_lines() -> None:
    text = draw_details(make_environment(), [make_refused()])
    assert "none: the run was client-bound" in text
    assert "[profiles" not in text


@pytest.mark.parametrize("profile", ["prod", "eu-prod_2", "größe"])
def test_the_lines_for_a_profile_are_toml(profile: str) -> None:
    lines = tomllib.loads(write_profile_lines(profile, 7))
    assert lines == {"profiles": {profile: {"pool": {"max_connections": 7}}}}


@pytest.mark.parametrize("profile", ["postgresql://app:secret@db/shop", "./shop.db", 'a"]\nx = 1'])
def test_what_is_no_profile_is_to_get_a_name(profile: str) -> None:
    assert write_profile_lines(profile, 7) == "[profiles.NAME.pool]\nmax_connections = 7"


def test_a_stderr_that_is_closed_is_no_error() -> None:
    stream = io.StringIO()
    stream.close()
    show_details(make_environment(stderr=stream), [make_sound()])


def test_a_stream_without_the_characters_gets_plain_ones() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    show_details(make_environment(stderr=stream), [make_sound()])
    assert b"#####" in raw.getvalue()
    assert b"-----" in raw.getvalue()


@given(st.lists(st.floats(min_value=0, max_value=4000), min_size=1, max_size=50))
def test_each_duration_is_counted_in_the_row_that_it_falls_into(durations: list[float]) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.record(duration)
    table = tabulate_histogram("", histogram)
    ends = [parse_duration(row[0].removeprefix("< ")) for row in table.rows]
    counts = [int(row[1].replace(",", "")) for row in table.rows]
    assert sum(counts) == len(durations)
    assert counts[0] > 0
    assert counts[-1] > 0
    assert ends == sorted(set(ends))
    # A histogram's buckets are 0.8 % wide, and one may lie across the end of a row.
    for end, upto in zip(ends, range(1, len(ends) + 1), strict=True):
        surely = sum(duration < end * 0.99 for duration in durations)
        perhaps = sum(duration < end * 1.01 for duration in durations)
        assert surely <= sum(counts[:upto]) <= perhaps


def test_nothing_to_count_gives_no_rows() -> None:
    assert tabulate_histogram("", Histogram()).rows == ()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0s"),
        (-0.2, "-200ms"),
        (0.9996, "1s"),
        (0.0009996, "1ms"),
        (0.0123456, "12.3ms"),
        (119.96, "2m"),
        (math.inf, "-"),
    ],
)
def test_durations_have_three_digits_and_the_unit_that_fits(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_a_number_that_is_none_does_not_end_the_report(number: float) -> None:
    report = make_swept()
    broken = replace(report.sweep[0], throughput=number, wait_p99=number, fitted=number)
    assert "Sweep" in draw_details(make_environment(), [replace(report, sweep=(broken, *report.sweep[1:]))])


def test_eight_pools_have_eight_rows() -> None:
    assert len(summary_rows(make_many())) == 8
