"""The examples of a page, and a reader who tries every one of them.

What a fence is marked with says what happens to its block:

- `console`: commands behind `$`, and below each of them all that it prints, run on a terminal. `…` stands for what is
  not the same each time, and on a line by itself for lines. A command with nothing below it may print what it likes,
  and has to end with status 0, or with the one that its comment says. What is typed meanwhile stands in a comment
  before the fence: `<!-- typed: prod -->`.
- `sh`, `zsh`, `fish`: run in that shell, where it has to end with status 0. Lines of dbtool's alone need no shell.
- `powershell`: its dbtool commands are.
- `python`: run, after the page's other blocks.
- `toml`: profiles that are valid; keys alone are each put into a profile. Saved queries are there for what follows. A
  file of another program's, which its first line names, is only read.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.running import COMMAND, SECONDS, run_inside
from tests.cli.terminal import on_terminal
from tests.completions.shells import find_shell, name_places_of_zsh
from tests.docs.pages import CHECKOUT

_BLOCK = re.compile(r"(?:<!-- typed: (.+) -->\n+)?^(```+)(.*)\n((?:.*\n)*?)\2$", re.MULTILINE)
_COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_STATUS = re.compile(r"# status (\d+)")
_NOT_SHOWN = ("DBTOOL_FORMAT", "PYTHON", "LD_")
LANGUAGES = ("console", "sh", "zsh", "fish", "powershell", "python", "toml")
_STRICT = {"bash": ("-e", "-o", "pipefail"), "zsh": ("-e",)}
_OPERATORS = set("();<>|&")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What stands between two fences."""

    place: str
    language: str
    text: str
    typed: tuple[str, ...]


def read_blocks(page: Path) -> Iterator[Block]:
    """Yield a page's examples in their order."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        typed, _, language, content = found.groups()
        line = text.count("\n", 0, found.start(3)) + 1
        keys = tuple(key.strip() for key in typed.split("|")) if typed else ()
        yield Block(place=f"{page.name}:{line}", language=language, text=content, typed=keys)


def read_tables(page: Path) -> Block:
    """Return the commands that a page's tables compare."""
    rows = "".join(re.findall(r"^\|.*\n", page.read_text(), re.MULTILINE))
    commands = "".join(f"{command}\n" for command in re.findall(r"`(dbtool \w[^`]*)`", rows))
    return Block(place=page.name, language="sh", text=commands, typed=())


@dataclass(kw_only=True)
class Reader:
    """Someone who tries a page's examples in a directory of their own."""

    variables: Mapping[str, str]
    directory: Path
    stands_for: Sequence[tuple[str, str]]
    """What the examples say, and what that is here."""
    names: dict[str, Any] = field(default_factory=dict)

    def try_out(self, block: Block) -> None:
        """Do what a block says; raises AssertionError where it does not work."""
        ways: Mapping[str, Callable[[Block, str], None]] = {
            "console": self._watch,
            "sh": self._run_lines,
            "zsh": self._run_in_shell,
            "fish": self._run_in_shell,
            "powershell": self._run_commands_within,
            "python": self._run_python,
            "toml": self._read_profiles,
        }
        assert block.language in LANGUAGES, f"{block.place}: a fence needs one of {', '.join(LANGUAGES)}"
        ways[block.language](block, self._translate(block.text))

    def _translate(self, text: str) -> str:
        for written, real in self.stands_for:
            text = text.replace(written, real)
        return text

    def _translate_back(self, text: str) -> str:
        for written, real in reversed(self.stands_for):
            text = text.replace(real, written)
        return text

    def _watch(self, block: Block, text: str) -> None:
        commands = _COMMAND.findall(text)
        assert "".join(f"$ {command}\n{shown}" for command, shown in commands) == text, f"{block.place}: no command"
        for command, shown in commands:
            self._watch_one(block, re.sub("^> ", "", command, flags=re.MULTILINE), shown.rstrip("\n"))

    def _watch_one(self, block: Block, command: str, shown: str) -> None:
        line = shlex.split(command, comments=True)
        shell = () if _is_plain(command) else (str(find_shell("bash")),)
        # What is printed to a terminal is a table without this; and the reader has Python's variables of the tests.
        variables = {name: value for name, value in self.variables.items() if not name.startswith(_NOT_SHOWN)}
        with on_terminal(
            *(("-c", command) if shell else line[1:]),
            command=shell or COMMAND,
            home=Path(variables["HOME"]),
            cwd=self.directory,
            environment=variables,
        ) as terminal:
            for keys in block.typed:
                for before in re.findall(rf"^(.+) {re.escape(keys)}$", self._translate(shown), re.MULTILINE):
                    terminal.wait_for(before)
                    terminal.enter(keys)
            status = terminal.finish(SECONDS)
            self._compare(f"{block.place}: {command}", shown, terminal.screen.rstrip("\n"), status)

    def _compare(self, place: str, shown: str, printed: str, status: int) -> None:
        named = _STATUS.search(place)
        if named or "dbtool: error: " not in shown:
            assert status == (int(named[1]) if named else 0), f"{place}: status {status}: {printed}"
        if shown:
            printed = re.sub(" +$", "", self._translate_back(printed), flags=re.MULTILINE)
            lines = self._translate_back(shown).split("\n")
            expected = ["(?s:.*)" if line == "…" else re.escape(line).replace("…", ".*") for line in lines]
            assert re.fullmatch("\n".join(expected), printed), f"{place}\nshown:\n{shown}\nprinted:\n{printed}"

    def _run_lines(self, block: Block, text: str) -> None:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        if all(_is_plain(line) for line in lines):
            for line in lines:
                self._run_plain(block.place, shlex.split(line, comments=True))
        else:
            self._run_in_shell(block, text)

    def _run_plain(self, place: str, words: Sequence[str]) -> None:
        program, *arguments = words
        if program == "make":
            subprocess.run(["make", "-n", *arguments], cwd=CHECKOUT, check=True, capture_output=True)
        elif program == "pip":
            _require_extra(place, arguments)
        else:
            home = self.variables["HOME"]
            expanded = [re.sub("^~/", f"{home}/", word) for word in arguments]
            typed = b"secret\n" if {"--password-keyring", "password"} & {*words} else b""
            done = run_inside(*expanded, stdin=typed, environment=self.variables, cwd=self.directory)
            assert done.status == 0, f"{place}: {shlex.join(words)}: status {done.status}: {done.err}"

    def _run_in_shell(self, block: Block, text: str) -> None:
        name = "bash" if block.language == "sh" else block.language
        program = find_shell(name)
        if name == "zsh":
            # As its start-up file has done by then.
            text = f"{name_places_of_zsh(program)}autoload -Uz compinit; compinit -D\n{text}"
        done = subprocess.run(
            [program, *_STRICT.get(name, ()), "-c", text],
            cwd=self.directory,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert (done.returncode, done.stderr) == (0, done.stderr), f"{block.place}: {done.stderr}"

    def _run_commands_within(self, block: Block, text: str) -> None:
        for command in re.findall(r"dbtool [^|\n]+", text):
            self._run_plain(block.place, shlex.split(command))

    def _run_python(self, block: Block, text: str) -> None:
        with chdir(self.directory):
            exec(compile(text, block.place, "exec"), self.names)  # noqa: S102 - it is what a reader would run

    def _read_profiles(self, block: Block, text: str) -> None:
        if re.match(r"# \S+\.toml\n", text):
            tomllib.loads(text)
            return
        if not re.search(r"^\[", text, re.MULTILINE):
            head = '[profiles.p{}]\nengine = "postgresql"\n{}\n'
            text = "".join(head.format(number, line) for number, line in enumerate(text.splitlines()))
        holds = tomllib.loads(text)
        own = Path(self.variables["XDG_CONFIG_HOME"]) / "dbtool" / "profiles.d" / "own.toml"
        file = own if "queries" in holds else self.directory / "block.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        for name in holds.get("profiles", ()):
            done = run_inside("profile", "show", name, "--config", file, environment=self.variables)
            assert done.status == 0, f"{block.place}: {done.err}"


def _is_plain(line: str) -> bool:
    """Say whether a line is one command, which no shell is needed for."""
    words = [*shlex.shlex(line, posix=True, punctuation_chars=True)]
    return words[0] in {"dbtool", "make", "pip"} and not any("$" in word or set(word) <= _OPERATORS for word in words)


def _require_extra(place: str, arguments: Sequence[str]) -> None:
    """Ask whether a package of dbtool's that is to be installed is there."""
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"\[(.+)\]", arguments[-1])
    assert arguments[0] == "install", place
    assert set(named) <= set(extras), f"{place}: {named}"
