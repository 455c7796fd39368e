"""The help of every command on a screen of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from typer.core import TyperCommand, TyperGroup

from dbtool.cli.app import build
from tests.cli.running import run_inside

_BORDER = re.compile("[╭╮╰╯─│]")


def _walk(group: TyperCommand | TyperGroup, *path: str) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    yield path, group
    if isinstance(group, TyperGroup):
        for name, child in group.commands.items():
            assert isinstance(child, (TyperCommand, TyperGroup))
            yield from _walk(child, *path, name)


_ALL = dict(_walk(build()))


@pytest.mark.parametrize("path", _ALL, ids=lambda path: " ".join(path) or "dbtool")
def test_help_fits_80_columns_and_breaks_no_word(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = _ALL[path]
    shown = run_inside(*path, "--help").text
    assert max(map(len, shown.splitlines())) <= 80
    words = set(_BORDER.sub(" ", shown).split())
    written = [command.help, command.epilog, *(getattr(one, "help", "") for one in command.params)]
    written += [getattr(one, "metavar", "") for one in command.params]
    written += [name for one in command.params for name in one.opts if name.startswith("-")]
    if isinstance(command, TyperGroup):
        written += [child.get_short_help_str(1000) for child in command.commands.values()]
    lost = {word for text in written for word in (text or "").split() if word not in words and len(word) > 1}
    assert not {word for word in lost if f"[{word}]" not in shown and f"{word}." not in words}, shown


@pytest.mark.parametrize("path", _ALL, ids=lambda path: " ".join(path) or "dbtool")
def test_help_says_what_a_duration_is_where_it_takes_one(path: tuple[str, ...]) -> None:
    shown = run_inside(*path, "--help").text
    assert shown.count("250ms, 30s, 5m or 1h30m") == ("DURATION" in shown.split("DURATION is")[0])


def test_every_command_has_its_line_in_the_list_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run_inside("--help").text
    rows = [line for line in shown.partition("Commands")[2].splitlines() if line.startswith("│")]
    assert [row.split()[1] for row in rows] == list(_ALL[()].commands)  # type: ignore[union-attr]
    assert "Examples:" in shown
    assert "dbtool profile add" in shown
