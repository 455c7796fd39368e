"""The documentation says what the code does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dbtool.dialects import DIALECTS
from tests.docs import reference, schema_form
from tests.docs.pages import CHECKOUT, DOCS, PAGES, README, find_broken_links, find_commands_in_text
from tests.examples.reader import LANGUAGES, read_blocks


def test_the_reference_lists_every_command_option_format_status_and_key_as_the_code_has_them() -> None:
    assert reference.FILE.read_text() == reference.render(), "run: python -m tests.docs.reference"


def test_the_form_of_a_schema_is_documented_as_the_code_has_it() -> None:
    assert schema_form.FILE.read_text() == schema_form.render(), "run: python -m tests.docs.schema_form"


def test_every_command_has_a_help_text_and_an_example() -> None:
    for name, command in reference.commands():
        assert command.help, name
        assert command.epilog, name
        assert name in command.epilog, name


def test_every_option_has_a_help_text_that_is_a_sentence() -> None:
    for name, command in reference.commands():
        for parameter in command.params:
            help_text = getattr(parameter, "help", None)
            assert help_text, (name, parameter.name)
            assert help_text.endswith("."), (name, parameter.name)


def test_only_queries_say_that_a_variable_chooses_its_format() -> None:
    saying = {
        name
        for name, command in reference.commands()
        for parameter in command.params
        if "DBTOOL_FORMAT" in (getattr(parameter, "help", None) or "")
    }
    assert saying == {"dbtool query", "dbtool run"}


def test_a_letter_means_the_same_option_on_every_command() -> None:
    meanings: dict[str, set[str]] = {}
    for _name, command in reference.commands():
        for parameter in command.params:
            short = [option for option in parameter.opts if re.fullmatch("-.", option)]
            for letter in short:
                meanings.setdefault(letter, set()).add(max(parameter.opts, key=len))
    assert {letter: len(names) for letter, names in meanings.items() if len(names) > 1} == {}


def test_the_readme_starts_with_the_two_commands_that_do_all_the_set_up() -> None:
    readme = README.read_text()
    first_page = readme[: readme.index("\n## Install")]
    assert first_page.index("make demo") < first_page.index("make test")


def test_the_readme_is_a_front_page_that_leads_to_every_other() -> None:
    readme = README.read_text()
    assert readme.count("\n") <= 300
    for page in DOCS.glob("*.md"):
        assert f"](docs/{page.name})" in readme, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_in_a_sentence_has_the_options_that_it_is_shown_with(page: Path) -> None:
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in reference.commands()
    }
    for said in find_commands_in_text(page):
        words = shlex.split(said)
        names = [name for name in options if words[: len(name.split())] == name.split()]
        assert names, f"{said}: there is no such command"
        for word in words:
            option = word.partition("=")[0]
            assert not re.fullmatch("--[a-z-]+|-[A-Za-z0-9]", option) or option in options[max(names, key=len)], said


def test_every_fence_says_how_its_example_is_run() -> None:
    said = {block.language: block.place for page in PAGES for block in read_blocks(page)}
    assert {place for language, place in said.items() if language not in LANGUAGES} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert list(find_broken_links(page)) == []


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "## Unreleased" in (CHECKOUT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", ["demo", "local-postgres", "local-mariadb", "example-prod"])
def test_the_example_profiles_are_valid(name: str, tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "dbtool", "profile", "show", name, "--config", str(CHECKOUT / "profiles")],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert any(engine in shown.stdout for engine in DIALECTS)
