"""A stranger's files hold nothing up: not a command, and a prompt least of all."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from dbtool.cli.switch.current import CurrentRequest, run_current
from dbtool.errors import ProfileError
from dbtool.profiles import current_name, list_names
from dbtool.profiles.discover import read_sources
from dbtool.profiles.files import ProjectReader, read_head
from dbtool.profiles.trust.record import plan_trust
from tests.profiles.world import World

MEGABYTE = 1 << 20
PROMPT = (1 << 18) - 100
GOOD = '[profiles.a]\nengine = "sqlite"\npath = "x.db"\n'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(root=tmp_path)


def repeat(line: Callable[[int], str], size: int = MEGABYTE - 100) -> str:
    """Return as many different lines as fit."""
    lines: list[str] = []
    length = 0
    for number in count():
        text = line(number)
        length += len(text)
        if length > size:
            return "".join(lines)
        lines.append(text)
    raise AssertionError


def chain(number: int) -> str:
    """Return a profile that goes back to the one before it."""
    return f'[profiles.a{number}]\nextends = "a{number - 1}"\n'


DOTS = ".".join("a" * 300)
SLOW: dict[str, Callable[[int], str]] = {
    "tables": lambda size: repeat(lambda n: f"[a{n}]\n", size),
    "profiles": lambda size: repeat(lambda n: f"[profiles.a{n}]\n", size),
    "keys": lambda size: "[profiles.a]\n" + repeat(lambda n: f"a{n}=1\n", size - 20),
    "keys that nearly are right": lambda size: repeat(lambda n: f'[profiles.a{n}]\nhots = "h"\nusre = "u"\n', size),
    "quoted keys": lambda size: repeat(lambda n: f'"a{n}"=1\n', size),
    "dotted keys": lambda size: repeat(lambda n: f"a{n}.{DOTS}=1\n", size),
    "dotted tables": lambda size: repeat(lambda n: f"[a{n}.{DOTS}]\n{DOTS}=1\n", size),
    "quoted dotted keys": lambda size: repeat(lambda n: f"a{n}.{DOTS.replace('a', chr(34) * 2)}=1\n", size),
    "one key of all dots": lambda size: ".".join("a" * (size // 2 - 10)) + "=1\n",
    "arrays of tables": lambda size: repeat(lambda _: "[[a]]\n", size),
    "deep arrays": lambda size: "a=" + "[" * (size // 2 - 9) + "]" * (size // 2 - 9),
    "deep tables": lambda size: "a=" + "{a=" * (size // 4 - 9) + "1" + "}" * (size // 4 - 9),
    "strings in deep arrays": lambda size: (
        "[profiles.a]\ntags=" + "[" * 90 + '"",' * (size // 3 - 99) + "]" * 90 + "\n"
    ),
    "a long array": lambda size: "[profiles.a]\ntags=[" + "1," * (size // 2 - 99) + "]\n",
    "a long number": lambda size: "[profiles.a]\nport=" + "1" * (size - 99) + "\n",
    "a long hexadecimal number": lambda size: "[profiles.a]\nport=0x" + "f" * (size - 99) + "\n",
    "a long name": lambda size: f'[profiles.{"a" * (size - 99)}]\nengine="mysql"\n',
    "a long unknown key": lambda size: f'[profiles.a]\nengine="mysql"\n{"a" * (size - 99)}=1\n',
    "a long path": lambda size: '[profiles.a]\nengine="sqlite"\npath="' + "a/" * (size // 2 - 99) + '"\n',
    "a path that goes up and down": lambda size: (
        '[profiles.a]\nengine="sqlite"\npath="' + "a/../" * (size // 5 - 99) + '"\n'
    ),
    "a chain of profiles": lambda size: '[profiles.a-1]\nengine="mysql"\n' + repeat(chain, size - 99),
    "a chain of broken profiles": lambda size: "[profiles.a-1]\nhots=1\n" + repeat(chain, size - 99),
    "profiles that extend nothing": lambda size: repeat(lambda n: f'[profiles.a{n}]\nextends = "b{n}"\n', size),
    "line ends": lambda size: "\n" * (size - 99),
    "comments": lambda size: "#\n" * (size // 2 - 99),
    "open strings": lambda size: '"""' * (size // 3 - 99),
    "words and dots": lambda size: "#" + ("a." * 63 + " ") * (size // 127 - 9),
    "a long word": lambda size: "#" + "a" * (size - 99),
    "blanks before a header": lambda size: " " * (size - 99) + "x",
}
"""What takes a parser, a regular expression or a check of ours the longest, in so many bytes."""


def measure(work: Callable[[], object]) -> float:
    """Return the processor's seconds, which other processes do not change."""
    start = time.process_time()
    work()
    return time.process_time() - start


def look_at_everything(world: World) -> None:
    catalog = world.load()
    _ = catalog.problems, catalog.entries()
    for name in catalog.names()[:3]:
        catalog.problems_of(name)


def look_for_a_prompt(world: World) -> None:
    for ask in (current_name, list_names):
        with suppress(ProfileError):
            ask(world.environment)


@pytest.mark.slow
@pytest.mark.timing
@pytest.mark.parametrize("kind", SLOW)
def test_a_project_file_of_a_megabyte_that_is_made_to_be_slow(world: World, kind: str) -> None:
    for size in (MEGABYTE, 140_000):
        (world.project / "dbtool.toml").write_text(SLOW[kind](size))
        assert measure(lambda: look_at_everything(world)) < 5, size


@pytest.mark.timing
@pytest.mark.parametrize("kind", SLOW)
def test_a_prompt_in_a_project_that_is_made_to_be_slow(world: World, kind: str) -> None:
    for size in (MEGABYTE, PROMPT, 140_000):
        (world.project / "dbtool.toml").write_text(SLOW[kind](size))
        assert measure(lambda: look_for_a_prompt(world)) < 1, size


@pytest.mark.timing
def test_a_project_file_of_more_than_a_megabyte_is_named_and_not_read(world: World) -> None:
    path = world.write_project(GOOD)
    os.truncate(path, 1 << 40)
    assert measure(world.load) < 1
    with pytest.raises(ProfileError, match=r"dbtool\.toml: cannot be read: .* have 1 MB at most"):
        world.load().require_readable()
    with pytest.raises(ProfileError, match=r"dbtool\.toml is not read for this command: .* 256 KB at most, together"):
        current_name(world.environment)


def test_many_files_together_are_no_way_around_the_limit(world: World) -> None:
    for number in range(5):
        world.write(world.project / "profiles" / f"{number}.toml", "[profiles]\n").write_text(
            "[profiles]\n" + "#" * 250_000
        )
    assert [file.problem is None for file in world.load().files] == [True, True, True, True, False]
    with pytest.raises(ProfileError, match="256 KB at most"):
        list_names(world.environment)


def test_large_toml_of_another_tool_beside_the_profiles_is_no_matter(world: World) -> None:
    world.write_project(GOOD)
    other = world.write(world.project / "profiles" / "data.toml", "")
    other.write_text("[tool]\n" + "#" * (3 * MEGABYTE))
    assert current_name(world.environment) == "a"
    catalog = world.load()
    assert (catalog.names(), catalog.ignored, catalog.problems) == (("a",), (other,), ())


def test_a_directory_of_thousands_of_files(world: World) -> None:
    directory = world.project / "profiles"
    directory.mkdir()
    for number in range(1100):
        (directory / f"{number}.toml").touch()
    for ask in (world.load, lambda: current_name(world.environment)):
        with pytest.raises(ProfileError, match="profiles holds more than 1000 files"):
            ask()


def test_reading_that_takes_longer_than_a_prompt_may_wait_ends(world: World) -> None:
    path = world.write_project(GOOD)
    ticks = iter([0.0, 0.4, 0.6])
    reader = ProjectReader(world.environment, anyones=True, brief=True, clock=lambda: next(ticks))
    assert reader.read(path) == path.read_bytes()
    with pytest.raises(ProfileError, match="took longer than a prompt may wait"):
        reader.read(path)


@pytest.mark.parametrize("name", ["dbtool.toml", "profiles/x.toml", ".dbtool-profile"])
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "fifo", "/dev/stdin", "/proc/self/fd/0"])
def test_a_pipe_or_a_device_in_a_files_place(world: World, name: str, target: str) -> None:
    path = world.project / name
    path.parent.mkdir(exist_ok=True)
    if target == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    assert world.load().names() == ()
    assert list_names(world.environment) == ()


def test_a_pipe_that_takes_a_files_place_while_it_is_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.write_project(GOOD)
    real_open = os.open

    def swap(name: str | Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return real_open(name, flags)

    monkeypatch.setattr(os, "open", swap)
    (source,) = read_sources(world.environment).files
    assert source.error == "cannot be read: it is not a regular file"


def test_a_file_without_a_size_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "endless"
    path.touch()
    monkeypatch.setattr(os, "read", lambda _descriptor, size: b"x" * size)
    assert len(read_head(path, MEGABYTE)) == MEGABYTE + 1


def test_a_prompt_shows_a_profile_of_a_project_that_is_too_slow_to_read_as_protected(world: World) -> None:
    world.write_project("x").write_text(GOOD + "#" * MEGABYTE)
    world.variables["DBTOOL_PROFILE"] = "a"
    out = io.BytesIO()
    request = CurrentRequest(prompt="bash")
    assert run_current(world.environment.replaced(stdout=out), request) == 0
    assert b"1;31" in out.getvalue()


@pytest.mark.timing
@pytest.mark.parametrize("size", [100_000, 200_000, MEGABYTE])
def test_a_script_of_a_trusted_project_that_names_everything(world: World, size: int) -> None:
    script = world.write(world.project / "w" / "pw.py", "")
    script.write_text(
        repeat(lambda n: f"import m{n} a.b{n}/c{n} /x{n}.y.z ../q{n} w/{n} w.{n} {'w' * (n % 9)}\n", size)
    )
    world.write_project('[profiles.a]\nengine = "mysql"\npassword = { command = ["python3", "w/pw.py"] }\n')
    assert measure(world.trust) < 3
    assert measure(lambda: current_name(world.environment)) < 1.5
    assert world.load().sources.project_trusted
    assert "what w/pw.py names" in dict(plan_trust(world.environment, world.load().sources).uncovered)


@pytest.mark.timing
@pytest.mark.parametrize("is_one", [True, False])
def test_a_command_of_thousands_of_words(world: World, is_one: bool) -> None:
    words = " ".join(f"w{number}/x" for number in range(20_000))
    command = f'"sh", "-c", "{words}"' if is_one else ", ".join(f'"{word}"' for word in words.split())
    world.write_project(f'[profiles.a]\nengine = "mysql"\npassword = {{ command = [{command}] }}\n')
    assert measure(world.trust) < 3
    assert measure(lambda: current_name(world.environment)) < 1.5
    uncovered = dict(plan_trust(world.environment, world.load().sources).uncovered)
    assert uncovered["what commands name"] == "they have more than 2000 words"


@pytest.mark.timing
def test_thousands_of_profiles_that_extend_each_other_and_are_ones_own_too(world: World) -> None:
    chained = '[profiles.a-1]\nengine = "mysql"\n' + "".join(map(chain, range(3000)))
    world.write_user(chained)
    world.write_project(chained)
    assert measure(lambda: look_at_everything(world)) < 2


def test_a_chain_of_profiles_is_as_long_as_is_said(world: World) -> None:
    base = '[profiles.a-1]\nengine = "mysql"\n'
    world.write_project(base + "".join(map(chain, range(40))))
    names = [name for name in world.load().names() if not world.load().problems_of(name)]
    assert names == ["a-1", *(f"a{number}" for number in range(32))]
    with pytest.raises(ProfileError, match="extends: goes back to more than 32 profiles"):
        world.get("a32")
