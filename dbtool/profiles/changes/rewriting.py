"""Change one profile in the text of a file; every comment and everything else stays as it is, to the byte.

Each change is checked against what it should mean: a file that is written in a way that the change
cannot follow is refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tomli

from dbtool.errors import ProfileError
from dbtool.expressions import expression
from dbtool.profiles.changes.layout import Passage, list_statements
from dbtool.profiles.checks.schema import PROFILE_KEYS

_BARE_KEY = expression(r"[A-Za-z0-9_-]+")
_PLACE_KEYS = frozenset({key.name for key in PROFILE_KEYS.values() if key.in_url} | {"url", "service", "option_file"})
"""What says where a profile connects."""


def add_profile(text: str, name: str, values: Mapping[str, Any]) -> str:
    """Return the text with a new profile at its end. Raises ProfileError."""
    wanted = _read(text)
    wanted.setdefault("profiles", {})[name] = dict(values)
    return _require(_append(text, _render(name, values)), wanted)


def update_profile(text: str, name: str, values: Mapping[str, Any]) -> str:
    """Return the text with a profile that connects as `values` say; its other keys stay. Raises ProfileError."""
    own = _read(text)["profiles"][name]
    return set_keys(text, name, values, gone=[key for key in own if key in _PLACE_KEYS and key not in values])


def set_keys(text: str, name: str, values: Mapping[str, Any], *, gone: Iterable[str] = ()) -> str:
    """Return the text with some keys of a profile set, and others gone. Raises ProfileError."""
    import tomlkit  # slow, and needed only to write

    wanted = _read(text)
    own = wanted["profiles"][name]
    changed = {key: value for key, value in values.items() if own.get(key) != value}
    wanted["profiles"][name] = {key: value for key, value in own.items() if key not in gone} | changed
    document: Any = tomlkit.parse(text)
    table = document["profiles"][name]
    for key in gone:
        del table[key]
    for key in changed.keys() & own.keys():
        if isinstance(own[key], dict) and isinstance(changed[key], dict):
            for inner in own[key].keys() - changed[key].keys():
                del table[key][inner]
            for inner, value in changed[key].items():
                table[key][inner] = value
        else:
            table[key] = _make_item(changed[key])
    added = {key: value for key, value in changed.items() if key not in own}
    return _require(_insert(tomlkit.dumps(document), name, added), wanted)


def copy_profile(text: str, name: str, *, onto: str, new: str, changes: Mapping[str, Any]) -> str:
    """Return the text `onto` with a copy of a profile at its end; `changes` replace keys. Raises ProfileError."""
    values = {**_read(text)["profiles"][name], **changes}
    block = _extract(text, name, new, changes)
    wanted = _read(onto)
    wanted.setdefault("profiles", {})[new] = values
    return _require(_append(onto, _render(new, values) if block is None else block), wanted)


def rename_profile(text: str, old: str, new: str) -> str:
    """Return the text with a profile's name changed, and what refers to it. Raises ProfileError."""
    wanted = _read(text)
    wanted["profiles"] = {new if name == old else name: table for name, table in wanted["profiles"].items()}
    for table in (wanted, *wanted["profiles"].values()):
        for key in ("default", "extends"):
            if table.get(key) == old:
                table[key] = new
    statements = list_statements(text)
    names = [part for statement in _of(statements, old) if (part := statement.find_part(1))]
    edits = [(part.start, part.end, _spell_key(new)) for part in names]
    edits += [(*statement.value, f'"{new}"') for statement in statements if _refers(text, statement, old)]
    return _require(_replace(text, edits), wanted)


def remove_profile(text: str, name: str) -> str:
    """Return the text without a profile, the comments above it, and a `default` that names it. Raises ProfileError."""
    wanted = _read(text)
    del wanted["profiles"][name]
    gone = list(_find_spans(text, name))
    if wanted.get("default") == name:
        del wanted["default"]
        gone += [(item.start, item.end) for item in list_statements(text) if item.path == ("default",)]
    return _require(_replace(text, [(start, end, "") for start, end in gone]), wanted)


def _read(text: str) -> dict[str, Any]:
    return tomli.loads(text)


def _require(text: str, wanted: Mapping[str, Any]) -> str:
    """Return a text that means what is wanted. Raises ProfileError for any other."""
    try:
        found = _read(text)
    except tomli.TOMLDecodeError:
        found = {}
    # Without its last profile a file has no `profiles` table, or an empty one.
    if {"profiles": {}, **found} != {"profiles": {}, **wanted}:
        raise ProfileError("the file is written in a way that cannot be changed piece by piece: dbtool profile edit")
    return text


def _append(text: str, block: str) -> str:
    if "\r\n" in text:
        block = block.replace("\r\n", "\n").replace("\n", "\r\n")
    ending = "\r\n" if "\r\n" in text else "\n"
    head = text if text.endswith("\n") or not text else text + ending
    return head + (ending if head.strip() else "") + block


def _insert(text: str, name: str, values: Mapping[str, Any]) -> str:
    """Write keys below the last one of a profile's table, ahead of the comments that follow it."""
    import tomlkit  # slow, and needed only to write

    places = [item.end for item in _of(list_statements(text), name) if _holds_keys(item)]
    lines = tomlkit.dumps({key: _make_item(value) for key, value in values.items()})
    return _replace(text, [(max(places, default=len(text)), max(places, default=len(text)), lines)])


def _holds_keys(statement: Passage) -> bool:
    """Say whether a key of a profile may follow a statement."""
    return len(statement.table) == 2 or (statement.is_header and len(statement.path) == 2)


def _render(name: str, values: Mapping[str, Any]) -> str:
    """Write a profile as its table, and its pool as a table below."""
    import tomlkit  # slow, and needed only to write

    table = tomlkit.table()
    order = list(PROFILE_KEYS)
    for key, value in sorted(values.items(), key=lambda item: order.index(item[0]) if item[0] in order else -1):
        table[key] = value if key == "pool" else _make_item(value)
    profiles = tomlkit.table(is_super_table=True)
    profiles[name] = table
    document = tomlkit.document()
    document["profiles"] = profiles
    return tomlkit.dumps(document)


def _make_item(value: Any) -> Any:
    """Write a secret's place on one line, as in { env = "NAME" }."""
    if not isinstance(value, dict):
        return value
    import tomlkit  # slow, and needed only to write

    inner = ", ".join(f"{key} = {tomlkit.item(inner).as_string()}" for key, inner in value.items())
    return tomlkit.value(f"{{ {inner} }}")


def _extract(text: str, name: str, new: str, changes: Mapping[str, Any]) -> str | None:
    """Return a profile's own tables under another name, comments included; None where it is not written as tables."""
    import tomlkit  # slow, and needed only to write

    statements = list(_of(list_statements(text), name))
    if not all(len(statement.table) >= 2 or statement.is_header for statement in statements):
        return None
    parts = [part for statement in statements if (part := statement.find_part(1))]
    renamed = _replace(text, [(part.start, part.end, _spell_key(new)) for part in parts])
    spans = _group(list(_of(list_statements(renamed), new)), renamed)
    document: Any = tomlkit.parse("\n".join(renamed[start:end] for start, end in spans))
    for key, value in changes.items():
        document["profiles"][new][key] = _make_item(value)
    return tomlkit.dumps(document)


def _of(statements: Iterable[Passage], name: str) -> Iterator[Passage]:
    return (statement for statement in statements if statement.path[:2] == ("profiles", name))


def _refers(text: str, statement: Passage, name: str) -> bool:
    """Say whether a statement is a `default` or an `extends` that names a profile."""
    path = statement.path
    if statement.value == (0, 0) or not (path == ("default",) or (len(path) == 3 and path[2] == "extends")):
        return False
    start, end = statement.value
    return bool(_read(f"value = {text[start:end]}")["value"] == name)


def _spell_key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else f'"{name}"'


def _replace(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    for start, end, written in sorted(edits, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _find_spans(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Yield what has to go with a profile: its statements, the comments that touch them, one blank line."""
    for start, end in _group(list(_of(list_statements(text), name)), text):
        first = _climb_comments(text, start)
        after = len(text) - len(text[end:].lstrip("\r\n"))
        before = len(text[:first].rstrip("\r\n"))
        if after == len(text) and before:
            yield text.index("\n", before) + 1, after
        elif before == 0 or "\n\n" in text[before:first].replace("\r", ""):
            yield first, after
        else:
            yield first, end


def _group(statements: list[Passage], text: str) -> list[tuple[int, int]]:
    """Join statements with nothing but comments and blanks between them."""
    spans: list[tuple[int, int]] = []
    for statement in statements:
        if spans and _is_silent(text[spans[-1][1] : statement.start]):
            spans[-1] = (spans[-1][0], statement.end)
        else:
            spans.append((statement.start, statement.end))
    return [(start, _fall_comments(text, end)) for start, end in spans]


def _is_silent(text: str) -> bool:
    return all(_is_comment(line) or not line.strip() for line in text.splitlines())


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _climb_comments(text: str, start: int) -> int:
    """Return where the comments directly above begin; those that open the file are about all of it."""
    place = start
    while place > 0:
        above = text.rfind("\n", 0, place - 1) + 1
        if not _is_comment(text[above:place]):
            return place
        place = above
    return start


def _fall_comments(text: str, end: int) -> int:
    """Return where the comments directly below end; those that touch what follows belong to that."""
    place = end
    while place < len(text):
        below = text.find("\n", place) + 1 or len(text)
        line = text[place:below]
        if not _is_comment(line):
            return place if not line.strip() else end
        place = below
    return place
