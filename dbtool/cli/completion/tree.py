"""Everything that can be typed after `dbtool`, read from the app as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from dbtool.formats import FORMATS
from dbtool.profiles.checks.schema import PROFILE_KEYS
from dbtool.records import Record


class Choices(Enum):
    """What a value is chosen from."""

    PROFILES = "profiles"
    QUERIES = "queries"
    FILES = "files"
    WORDS = "words"
    ANYTHING = "anything"


class Value(Record):
    """What an option or an argument takes."""

    kind: Choices
    words: tuple[str, ...] = ()
    """All that it may be, or words that may stand in the place of a file."""


class Option(Record):
    """One option; `value` is None for a flag."""

    names: tuple[str, ...]
    help: str
    value: Value | None
    may_stand_alone: bool = False
    """The value can be left out."""
    repeats: bool = False


class Command(Record):
    """One command with what may follow it; `path` is empty for dbtool itself."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    argument: Value | None
    children: tuple[Command, ...]

    def walk(self) -> Iterator[Command]:
        """Yield this command and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


_HELP = Option(names=("-h", "--help"), help="Show the help and exit", value=None)
_FORMATS = Value(kind=Choices.WORDS, words=tuple(FORMATS))
_BY_OPTION = {
    "--profile": Value(kind=Choices.PROFILES),
    "--confirm": Value(kind=Choices.PROFILES),
    "--extends": Value(kind=Choices.PROFILES),
    "--format": _FORMATS,
}
_SINGLE = "--profile"
"""Read as often as it is given, so that a second one can be refused."""
_JUNIT = Value(kind=Choices.WORDS, words=(*FORMATS, "junit"))
_WORD = re.compile(r"[a-z][a-z-]+")
_FILE = re.compile(r"\b(?:FILE|PATH)\b")
_NAME = re.compile(r"\bNAME\b")
_QUERY = re.compile(r"\bQUERY\b")


def read_tree(group: TyperCommand | TyperGroup, path: tuple[str, ...] = ()) -> Command:
    """Return a command of the app with everything below it."""
    parameters = [parameter for parameter in group.params if not getattr(parameter, "hidden", False)]
    options = [_read_option(parameter) for parameter in parameters if isinstance(parameter, TyperOption)]
    arguments = [parameter for parameter in parameters if isinstance(parameter, TyperArgument)]
    children = group.commands.items() if isinstance(group, TyperGroup) else ()
    return Command(
        path=path,
        help=_first_sentence(group.help or ""),
        options=(*options, _HELP),
        argument=_read_argument(arguments[0].metavar or "") if arguments else None,
        children=tuple(
            read_tree(child, (*path, name))
            for name, child in children
            if isinstance(child, (TyperCommand, TyperGroup)) and not child.hidden
        ),
    )


def _read_option(option: TyperOption) -> Option:
    names = tuple(sorted(option.opts, key=len))
    metavar = option.metavar or ""
    return Option(
        names=names,
        help=_first_sentence(option.help or ""),
        value=None if option.is_flag else _read_value(names[-1], metavar, option.help or ""),
        may_stand_alone=metavar.startswith("["),
        repeats=option.multiple and names[-1] != _SINGLE,
    )


def _list_bench_words(name: str) -> tuple[str, ...]:
    """Return what is too long for the help of `pool-bench` to show as a choice."""
    from dbtool.bench.pools.subjects import SUBJECTS  # brings the pool, for the script alone
    from dbtool.bench.reports.report import FAULTS

    return {"--pool": tuple(SUBJECTS), "--chaos": FAULTS}[name]


def _read_value(name: str, metavar: str, help_text: str) -> Value:
    if name in {"--pool", "--chaos"}:
        return Value(kind=Choices.WORDS, words=_list_bench_words(name))
    if name == "--format" and "junit" in help_text:
        return _JUNIT
    key = PROFILE_KEYS.get(name.removeprefix("--"))
    if key and key.choices:
        return Value(kind=Choices.WORDS, words=tuple(key.choices))
    if name == "--format" and "|" in metavar:
        return _read_metavar(metavar) or _FORMATS
    return _BY_OPTION.get(name) or _read_metavar(metavar) or Value(kind=Choices.ANYTHING)


def _read_argument(metavar: str) -> Value:
    found = _read_metavar(metavar)
    if found:
        return found
    if _QUERY.search(metavar):
        return Value(kind=Choices.QUERIES)
    return Value(kind=Choices.PROFILES if _NAME.search(metavar) else Choices.ANYTHING)


def _read_metavar(metavar: str) -> Value | None:
    """Read what the help shows for a value: FILE or PATH, or words with | between them."""
    words = _list_sources() if "SOURCE" in metavar else ()
    if _FILE.search(metavar):
        return Value(kind=Choices.FILES, words=words)
    if words:
        return Value(kind=Choices.WORDS, words=words)
    words = tuple(part for part in metavar.strip("[].").split("|") if _WORD.fullmatch(part))
    return Value(kind=Choices.WORDS, words=words) if words and "=" not in metavar else None


def _list_sources() -> tuple[str, ...]:
    """Return what profiles are imported from, by name."""
    from dbtool.profiles.importing import SOURCES  # for the script alone

    return tuple(SOURCES)


def _first_sentence(text: str) -> str:
    """Return the first sentence in one line, without its full stop."""
    return re.split(r"\.(?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
