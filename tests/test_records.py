"""Frozen values without the cost of dataclasses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dbtool.records import Record


class _Point(Record, kw_only=False):
    _concealed = frozenset({"secret"})

    x: int
    y: int = 2
    secret: str = ""


def test_a_record_has_its_fields_and_their_defaults() -> None:
    point = _Point(x=1)
    assert (point.x, point.y, point.secret) == (1, 2, "")
    assert _Point(3, 4).y == 4


def test_a_record_whose_fields_have_an_order_is_matched_by_it() -> None:
    match _Point(3, 4):
        case _Point(x, y):
            assert (x, y) == (3, 4)


def test_a_record_cannot_be_changed() -> None:
    point = _Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    assert point.replaced(x=5) == _Point(x=5)
    assert point == _Point(x=1)


def test_records_are_equal_by_value_and_never_across_classes() -> None:
    class Other(Record):
        x: int
        y: int = 2
        secret: str = ""

    assert _Point(x=1) == _Point(x=1, y=2)
    assert hash(_Point(x=1)) == hash(_Point(x=1, y=2))
    assert _Point(x=1) != _Point(x=2)
    assert _Point(x=1) != Other(x=1)


def test_a_concealed_field_stays_out_of_the_repr() -> None:
    assert repr(_Point(x=1, secret="hush")) == "_Point(x=1, y=2)"


@pytest.mark.parametrize("arguments", [{}, {"x": 1, "z": 2}, {"y": 1}])
def test_wrong_fields_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="_Point: wrong fields"):
        _Point(**arguments)  # type: ignore[arg-type]


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="given twice"):
        _Point(1, x=1)  # type: ignore[misc]


def test_importing_it_brings_neither_dataclasses_nor_typing() -> None:
    code = "import sys, dbtool.records; print([n for n in ('dataclasses', 'typing', 'inspect') if n in sys.modules])"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "[]\n"
