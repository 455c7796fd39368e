"""Which of many profiles are meant: by names, by patterns of names, by tags, or all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from dbtool.errors import ProfileError, UsageError
from dbtool.profiles.catalog import Catalog, Entry
from dbtool.profiles.paths import is_mistyped_url, is_path, is_url
from dbtool.profiles.problems import suggest
from dbtool.records import Record
from dbtool.scrubbing import scrub

_MARKS = frozenset("*?[")


class ProfilesWanted(Record):
    """What the caller said: each of `--profile`, each `--tag`, and `--all-profiles`."""

    named: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    every: bool = False

    @property
    def are_several(self) -> bool:
        """Say whether the answer is for several profiles, however many it turns out to be.

        What a pattern or a tag finds may change any day: the form of the answer may not.
        """
        words = list(_split(self.named))
        return len(words) > 1 or bool(self.tags) or self.every or any(map(_is_pattern, words))

    @property
    def single(self) -> str | None:
        """The one profile that was named, None for the active one."""
        return next(_split(self.named), None)


class Found(Record):
    """One profile that is meant; `by_name` where it was written out, and not found by a pattern, a tag or all."""

    name: str
    by_name: bool
    is_address: bool = False
    """It is a URL or a path, which may hold a password, and no name."""


def find_profiles(catalog: Catalog, wanted: ProfilesWanted) -> list[Found]:
    """Return the profiles that are meant, each once: as they were named, else as the files hold them.

    Bases, which name no engine, are left out where they are not named. With names and tags, both have to fit.
    Raises ProfileError where a name or a pattern means none, or nothing is left; UsageError where all and some are
    asked for.
    """
    if wanted.every and wanted.named:
        raise UsageError("give --profile or --all-profiles, not both")
    entries = {entry.name: entry for entry in catalog.entries()}
    open_ones = [name for name, entry in entries.items() if entry.engine or entry.problem]
    words = list(_split(wanted.named))
    found: dict[str, Found] = {}
    for word in words or ["*"]:
        for name, by_name in _expand(word, open_ones, entries):
            if name not in found or by_name:
                found[name] = Found(name=name, by_name=by_name, is_address=name not in entries)
    chosen = [one for one in found.values() if _has_tags(entries.get(one.name), wanted.tags)]
    if not chosen:
        raise ProfileError(_say_none(entries.values(), wanted))
    return chosen


def _split(named: Iterable[str]) -> Iterator[str]:
    """Give each of several names with commas between them; an address is one, whatever stands in it."""
    for text in named:
        if is_url(text) or is_path(text) or is_mistyped_url(text):
            yield text
            continue
        words = [word.strip() for word in text.split(",")]
        if not all(words):
            raise UsageError(f"--profile {scrub(text)!r}: a name is missing at a comma")
        yield from words


def _is_pattern(word: str) -> bool:
    return not _MARKS.isdisjoint(word) and not (is_url(word) or is_path(word) or is_mistyped_url(word))


def _expand(word: str, names: Sequence[str], entries: dict[str, Entry]) -> list[tuple[str, bool]]:
    if not _is_pattern(word):
        if word not in entries and not (is_url(word) or is_path(word) or is_mistyped_url(word)):
            raise ProfileError(f"no profile is named {scrub(word)!r}{suggest(word, list(entries))}")
        return [(word, True)]
    fitting = [(name, False) for name in names if fnmatchcase(name, word)]
    if not fitting and names and word != "*":
        raise ProfileError(f"no profile is named as {scrub(word)!r} says: see dbtool profile list")
    return fitting


def _has_tags(entry: Entry | None, tags: Sequence[str]) -> bool:
    return not tags or (entry is not None and set(tags) <= set(entry.tags))


def _say_none(entries: Iterable[Entry], wanted: ProfilesWanted) -> str:
    if not wanted.tags:
        return "there are no profiles: write one with dbtool profile add"
    known = sorted({tag for entry in entries for tag in entry.tags})
    unknown = next((tag for tag in wanted.tags if tag not in known), None)
    if unknown is not None:
        return f"no profile has the tag {unknown!r}{suggest(unknown, known)}"
    return f"no profile has the tags {', '.join(map(repr, wanted.tags))}" + (
        " and a name that fits" if wanted.named else ""
    )
