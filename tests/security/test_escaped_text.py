"""Names, data and notices that would move the cursor, turn text around, or hide something in it."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.cli.switch.switching import Switcher, SwitchRequest
from dbtool.cli.terminal.console import Console
from dbtool.errors import DbtoolError, one_line
from dbtool.formats import FORMATS, FormatOptions
from dbtool.process import process_environment
from dbtool.result import Column, Kind
from dbtool.text import make_visible
from tests.cli.running import run_inside
from tests.completions.shells import find_shell

_ATTACKS = {
    "a terminal's command": "a\x1b]0;owned\x07b",
    "a cursor that moves": "a\x1b[2Kb",
    "a control of eight bits": "a\x9b31mb",
    "text turned around": "a\u202egnp.exe\u202cb",
    "an isolate": "a\u2066b\u2069c",
    "a mark of direction": "a\u200fb",
    "a letter of no width": "a\u200bb",
    "a joiner": "a\u200db",
    "a byte order mark": "a\ufeffb",
    "a soft hyphen": "a\u00adb",
    "a tag": "a\U000e0041b",
    "a line that another program breaks": "a\u2028b",
    "a filler": "a\u3164b",
}


def _is_unseen(character: str) -> bool:
    """Judge by Unicode's own categories: format characters and separators of lines, which have no picture."""
    return unicodedata.category(character) in {"Cc", "Zl", "Zp"} or unicodedata.bidirectional(character) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN",
    }  # fmt: skip


@given(st.text())
def test_nothing_unseen_is_left_and_what_can_be_seen_stays(text: str) -> None:
    shown = make_visible(text)
    assert not [character for character in shown if _is_unseen(character) and unicodedata.category(character) != "Cs"]
    assert make_visible(shown) == shown
    if text.isascii() and text.isprintable():
        assert shown == text


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_words_of_every_language_are_shown_as_they_are(text: str) -> None:
    assert (
        make_visible(text)
        .replace("\\u115f", "\u115f")
        .replace("\\u1160", "\u1160")
        .replace("\\u3164", "\u3164")
        .replace("\\uffa0", "\uffa0")
        == text
    )


@pytest.mark.parametrize("attack", _ATTACKS.values(), ids=list(_ATTACKS))
@pytest.mark.parametrize("name", FORMATS)
def test_data_and_labels_reach_a_terminal_visible(name: str, attack: str) -> None:
    output = BytesIO()
    writer = FORMATS[name].make(output, FormatOptions(terminal=True))
    writer.begin([Column(attack, Kind.TEXT)])
    writer.write_rows([(attack,), ("plain",)])
    writer.end()
    writer.flush()
    written = output.getvalue().decode()
    assert not [character for character in written if character != "\n" and _is_unseen(character)], written
    assert attack not in written


@pytest.mark.parametrize("name", ["csv", "tsv", "json", "ndjson", "markdown", "value"])
def test_off_the_terminal_unseen_letters_stay_as_they_are(name: str) -> None:
    """A joiner is half of a Persian word and of an emoji; a script gets what the server said."""
    words = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f680"
    output = BytesIO()
    writer = FORMATS[name].make(output, FormatOptions())
    writer.begin([Column("a", Kind.TEXT)])
    writer.write_rows([(words,)])
    writer.end()
    writer.flush()
    assert words.encode() in output.getvalue()


@pytest.mark.parametrize("attack", _ATTACKS.values(), ids=list(_ATTACKS))
def test_an_error_of_a_server_or_a_file_is_one_visible_line(attack: str) -> None:
    for text in (one_line(attack), str(DbtoolError(attack))):
        assert not any(map(_is_unseen, text))


@pytest.mark.parametrize(
    "attack",
    ["a terminal's command", "text turned around", "a letter of no width", "a filler"],
)
@pytest.mark.parametrize("place", ["default", "only", "pin", "variable", "switch"])
@pytest.mark.parametrize("command", ["current", "current --prompt plain", "query select"])
def test_what_is_no_profiles_name_is_never_printed(place: str, command: str, attack: str, tmp_path: Path) -> None:
    attack = _ATTACKS[attack]
    escaped = "".join(f"\\U{ord(character):08x}" for character in attack)
    project = tmp_path / "project"
    variables: dict[str, str] = {}
    project.mkdir()
    table = '[profiles.a]\nengine = "sqlite"\npath = ":memory:"\n[profiles.b]\nengine = "sqlite"\npath = ":memory:"\n'
    if place == "default":
        table = f'default = "{escaped}"\n{table}'
    elif place == "only":
        table = f'[profiles."{escaped}"]\nengine = "sqlite"\npath = ":memory:"\n'
    elif place == "pin":
        (project / ".dbtool-profile").write_text(attack)
    elif place == "variable":
        variables = {"DBTOOL_PROFILE": attack.replace(".", "").replace("/", "")}
    (project / "dbtool.toml").write_text(table)
    if place == "switch":
        state = tmp_path / "state" / "dbtool"
        state.mkdir(parents=True)
        (state / "state.json").write_text(
            json.dumps(
                {
                    "version": 1,
                    "switched": {"name": attack, "until": None, "fallback": None},
                    "previous": None,
                    "trust": {"projects": {}, "pins": {}},
                }
            )
        )
    done = run_inside(
        *command.split(), cwd=project, environment={"XDG_STATE_HOME": str(tmp_path / "state"), **variables}
    )
    assert done.status == 2
    shown = done.text + done.err
    assert not [character for character in shown if character != "\n" and _is_unseen(character)], shown


def test_a_note_is_visible_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    Console(process_environment()).note(_ATTACKS["text turned around"])
    assert capsys.readouterr().err == "a\\u202egnp.exe\\u202cb\n"


def test_a_directorys_name_acts_on_the_terminal_that_a_shell_switch_is_printed_to(tmp_path: Path) -> None:
    place = tmp_path / "a\x1b[31m\u202e"
    place.mkdir()
    (place / "dbtool.toml").write_text('[profiles.x]\nengine = "mysql"\n')
    out = BytesIO()
    environment = process_environment().replaced(working_directory=place, stdout=out, stdout_is_terminal=True)
    Switcher(environment, SwitchRequest(name="x", shell="bash")).run()  # noqa: S604 - no process's shell
    assert rb"\x1b[31m\u202e/dbtool.toml" in out.getvalue()


_ENDS = ["'; touch {}; '", "$(touch {})", "`touch {}`", "\\'; touch {}; #", "\n touch {}\n", "\u2019; touch {}; \u2018"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_directorys_name_is_run_by_the_shell_that_is_switched(tmp_path: Path, shell: str) -> None:
    for number, end in enumerate(_ENDS):
        place = tmp_path / f"{number}{end.format('PWNED')}"
        place.mkdir()
        (place / "dbtool.toml").write_text('[profiles.x]\nengine = "mysql"\n')
        script = run_inside("switch", "x", f"--shell={shell}", cwd=place).text
        quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
        done = subprocess.run(
            [find_shell(shell), *quiet, "-c", f'{script}printf %s "$DBTOOL_PROFILE_FILE"'],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        assert done.stdout == f"x {place / 'dbtool.toml'}"
    assert not (tmp_path / "PWNED").exists()


def test_a_directorys_name_ends_a_quoted_word_of_powershell(tmp_path: Path) -> None:
    """PowerShell ends a quoted word at any of five signs, unless another of them follows."""
    place = tmp_path / "'\u2018\u2019\u201a\u201b; touch PWNED"
    place.mkdir()
    (place / "dbtool.toml").write_text('[profiles.x]\nengine = "mysql"\n')
    script = run_inside("switch", "x", "--shell=powershell", cwd=place).text
    assert "''\u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b; touch PWNED/dbtool.toml'" in script
