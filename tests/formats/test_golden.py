"""A nasty result, byte for byte, in every format and under every option."""

from __future__ import annotations

import json

import pytest

from dbtool.formats import FORMATS
from tests.formats import golden
from tests.formats.results import NASTY


@pytest.mark.parametrize("case", sorted(golden.CASES))
def test_a_nasty_result_is_written_as_the_golden_file_says(case: str) -> None:
    assert golden.make(case) == (golden.DIRECTORY / case).read_bytes()


def test_every_format_has_a_golden_file_and_every_file_a_case() -> None:
    assert {name for name, _ in golden.CASES.values()} == set(FORMATS)
    assert {path.name for path in golden.DIRECTORY.iterdir()} - {".gitattributes"} == set(golden.CASES)


@pytest.mark.parametrize("case", [case for case in golden.CASES if case.endswith(".json")])
def test_the_golden_json_parses(case: str) -> None:
    assert len(json.loads((golden.DIRECTORY / case).read_bytes())) == len(NASTY.rows)


@pytest.mark.parametrize("case", [case for case in golden.CASES if case.endswith(".ndjson")])
def test_each_line_of_the_golden_ndjson_parses(case: str) -> None:
    lines = (golden.DIRECTORY / case).read_bytes().removesuffix(b"\n").split(b"\n")
    assert [type(json.loads(line)) for line in lines] == [dict] * len(NASTY.rows)
