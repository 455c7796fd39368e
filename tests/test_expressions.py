"""Expressions that are compiled late: a mistake in one must not wait for its first user."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import pytest

import dbtool
from dbtool.expressions import expression


def _list_expressions() -> dict[str, re.Pattern[str]]:
    kind = type(expression(""))
    modules = [
        module.name for module in pkgutil.walk_packages(dbtool.__path__, "dbtool.") if "__main__" not in module.name
    ]
    return {
        f"{module}.{name}": value
        for module in modules
        for name, value in vars(import_module(module)).items()
        if isinstance(value, kind)
    }


def test_each_can_be_compiled() -> None:
    found = _list_expressions()
    assert len(found) > 30
    for name, late in found.items():
        assert isinstance(late.groups, int), name


def test_one_does_what_a_compiled_one_does() -> None:
    late, compiled = (
        expression(r"(?P<letter>[a-z])(\d)?", re.IGNORECASE),
        re.compile(r"(?P<letter>[a-z])(\d)?", re.IGNORECASE),
    )
    for method in ("match", "fullmatch", "search"):
        for text in ("a1", "B", "-c2", ""):
            ours, theirs = getattr(late, method)(text), getattr(compiled, method)(text)
            assert (ours and ours.groupdict()) == (theirs and theirs.groupdict())
    assert late.sub("x", "a1b2") == compiled.sub("x", "a1b2")
    assert late.findall("a1b") == compiled.findall("a1b")
    assert late.split("a1-b2") == compiled.split("a1-b2")
    assert [match.span() for match in late.finditer("a1 b")] == [match.span() for match in compiled.finditer("a1 b")]
    assert (late.pattern, late.flags) == (compiled.pattern, compiled.flags)


def test_a_mistake_shows_when_it_is_used() -> None:
    late = expression("(")
    with pytest.raises(re.error):
        late.match("")
