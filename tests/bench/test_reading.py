"""What was written is read back exactly, and what pool-bench did not write is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.reports.reading import read_report
from dbtool.bench.reports.report import Latency, Storm
from dbtool.errors import UsageError
from tests.bench.reports import GOLDEN, REPORT, change_load, change_measures, write


def test_a_report_is_read_back_exactly() -> None:
    (report,) = read_report(write(), "a.json")
    assert write(report) == write()
    assert report.gates == REPORT.gates
    assert report.measures == REPORT.measures
    assert replace(report, histograms={}) == replace(REPORT, histograms={})


def test_a_report_without_what_is_optional_is_read_back_exactly() -> None:
    bare = change_load(change_measures(storm=None, timeout=None, round_trips=None), rate=None, arrivals=None)
    bare = replace(bare, bleed=(), histograms={}, series=(), sweep=(), recommendation=None, chaos=(), notes=())
    assert read_report(write(bare), "a.json") == (bare,)


def test_a_list_is_read_in_its_order() -> None:
    text = json.dumps([replace(REPORT, pool=name).to_json() for name in ("dbtool", "peewee", "none")])
    assert [report.pool for report in read_report(text, "a.json")] == ["dbtool", "peewee", "none"]


def test_the_golden_file_is_read_back() -> None:
    (report,) = read_report(GOLDEN.read_text(encoding="utf-8"), "golden")
    assert replace(report, histograms={}) == replace(REPORT, histograms={})


def _edit(change: Callable[[dict[str, Any]], object]) -> str:
    data = REPORT.to_json()
    change(data)
    return json.dumps(data)


def test_keys_that_a_newer_release_adds_are_passed_over() -> None:
    def add(data: dict[str, Any]) -> None:
        for place in (data, data["load"], data["measures"], data["measures"]["acquire"], data["gates"][0]):
            place["new"] = {"deep": [1]}

    (report,) = read_report(_edit(add), "a.json")
    assert write(report) == write()


def test_measures_may_be_left_out_or_empty() -> None:
    def empty(data: dict[str, Any]) -> None:
        data["measures"] = {"acquire": {}, "storm": {"fill": 1.0}}

    (report,) = read_report(_edit(empty), "a.json")
    assert (report.measures.acquire, report.measures.storm) == (Latency(), Storm(fill=1.0))


def test_a_whole_number_will_do_for_a_duration() -> None:
    (report,) = read_report(_edit(lambda data: data["load"].update(hold=2)), "a.json")
    assert (report.load.hold, type(report.load.hold)) == (2.0, float)


@pytest.mark.parametrize("length", [0, 1, 40, len(write()) // 2, len(write()) - 3])
def test_truncated_json_is_refused(length: int) -> None:
    with pytest.raises(UsageError, match=r"^a\.json: this is no complete JSON"):
        read_report(write()[:length], "a.json")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("[" * 100_000, "no complete JSON", id="depth"),
        pytest.param(write().replace("0.998", "NaN"), "NaN is no number of JSON", id="NaN"),
        pytest.param(write().replace("0.998", "1e999"), "1e999 is too large", id="overflow"),
        pytest.param(write().replace("0.998", "1" + "0" * 400), "too large", id="a long integer"),
        pytest.param("[]", "the list is empty", id="empty"),
        pytest.param("3", "it has to be an object, and is an integer", id="number"),
        pytest.param('["x"]', r"\[0\] has to be an object, and is a text", id="text"),
        pytest.param("{}", "it has no schema number, and this dbtool reads 2", id="no schema"),
        pytest.param(
            _edit(lambda data: data.update(schema=1)), "it has the schema 1, and this dbtool reads 2", id="new"
        ),
        pytest.param(_edit(lambda data: data.update(schema=True)), "the schema true", id="true"),
        pytest.param(_edit(lambda data: data.pop("pool")), "pool is missing", id="pool"),
        pytest.param(_edit(lambda data: data["load"].pop("hold")), r"load\.hold is missing", id="hold"),
        pytest.param(
            _edit(lambda data: data["load"].update(threads=True)),
            r"load\.threads has to be an integer, and is true or false",
            id="threads",
        ),
        pytest.param(
            _edit(lambda data: data["measures"].update(throughput="1")),
            r"measures\.throughput has to be a number, and is a text",
            id="throughput",
        ),
        pytest.param(_edit(lambda data: data.update(measures=[])), "measures has to be an object", id="measures"),
        pytest.param(_edit(lambda data: data.update(gates={})), "gates has to be a list", id="gates"),
        pytest.param(
            _edit(lambda data: data["gates"][1].update(status="fine")),
            r"gates\[1\]\.status has to be pass or fail or warning or skipped",
            id="status",
        ),
        pytest.param(
            _edit(lambda data: data.update(verdict="skipped")), "verdict has to be pass or fail", id="verdict"
        ),
        pytest.param(
            _edit(lambda data: data["histograms"].update(acquire="eA==")),
            r"histograms\.acquire: a histogram of the report cannot be read",
            id="histogram",
        ),
        pytest.param(
            _edit(lambda data: data["histograms"].update(acquire=None)),
            r"histograms\.acquire has to be a text, and is null",
            id="null",
        ),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^a\.json: .*{reason}"):
        read_report(text, "a.json")


def test_the_place_in_a_list_is_named() -> None:
    broken = REPORT.to_json()
    del broken["load"]["threads"]
    with pytest.raises(UsageError, match=r"\[1\]\.load\.threads is missing"):
        read_report(json.dumps([REPORT.to_json(), broken]), "a.json")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*REPORT.to_json(), "load.hold", "measures.acquire", "measures.storm"]), _json)
def test_a_value_of_any_shape_is_read_or_refused_in_one_line(path: str, value: Any) -> None:
    data = REPORT.to_json()
    *above, last = path.split(".")
    place = data
    for name in above:
        place = place[name]
    place[last] = value
    outcome = ""
    try:
        read_report(json.dumps(data), "a.json")
    except UsageError as error:
        outcome = str(error)
    assert not outcome or outcome.startswith("a.json: ")
    assert "\n" not in outcome
