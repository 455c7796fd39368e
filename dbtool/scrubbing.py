"""Where a password may stand in what somebody typed: a URL, a connection string, an option, a statement.

The text need not be well-formed. Where it is not plain what is the password, more is taken for it rather than less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from dbtool.expressions import expression
from dbtool.text import make_visible

_MASK = "***"
_COLON = expression(r":|%3a", re.IGNORECASE)
_ESCAPED_AT = expression(r"%40")
_SCHEME = expression(
    r"(?:\A|\A-p|[=\s'\"(])(?:postgres|pg|mysql|maria|sqlite|https?|mongo|redis|mssql|oracle)[\w.+-]*\Z", re.IGNORECASE
)
"""A scheme with which a URL may begin; any other word before :// could be a user's name."""
_HOST = expression(r"\[[^\]@]*\]")
_PORT = expression(r"(?:\d{1,5}|\$\{\w+\})?(?=[/?#,]|\Z)")


def _spell(word: str) -> str:
    """Return a pattern for a word with any of its letters as a URL's escape."""
    return "".join(f"(?:{letter}|%{ord(letter):02x}|%{ord(letter.upper()):02x})" for letter in word)


@cache
def _named() -> re.Pattern[str]:
    """Match what stands before a password that is given by name, in a URL, a string, an option or a statement.

    Made at its first use: it takes longer than the rest of a prompt.
    """
    words = (
        f"{_spell('passw')}(?:{_spell('or')})?{_spell('d')}|{_spell('passphrase')}|{_spell('pwd')}|{_spell('secret')}"
    )
    return re.compile(
        rf"(?:{words})[\w%.-]*\s*(?::?=|%3d|:(?!:)|['\"])|[?&](?:hex)?key(?:=|%3d)|\bidentified\s+(?:by|with\s+\S+\s+(?:by|as))\b",
        re.IGNORECASE,
    )


_TELLING = frozenset(":%='\" \t\n\r\f\v")
"""Where none of these is, there is no password."""
_SEPARATE = frozenset({"--password", "--password-command", "--passwd"})
"""Options whose value is the next argument, and may be or hold a password."""
_IN_MEMORY = expression(r"(?:-p|--profile=)?(?:sqlite3?:/*)?:memory:")
"""SQLite's word for a database in memory, whole: it has colons, and no password."""
_GIVEN = expression(r"pass(?:word|wd|phrase)\s*=\s*('(?:\\.|[^'\\])*+'?|\S+)", re.IGNORECASE)
"""A password among other words, as in libpq's strings."""
_PIECES = expression(r"\W+")
_SHORTEST_PIECE = 6
_SHORTEST = 4
"""Below this length a password is looked for as a word: any letter or two occurs everywhere."""


def scrub(text: str, *, mask: str = _MASK) -> str:
    """Return a text with a mask in the place of each part that may be a password."""
    return _replace(text, lambda _part: mask)


def has_password(text: str) -> bool:
    """Say whether some part of a text may be a password."""
    return any(start < end for start, end in _find(text))


def cover(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command, each of its own length, with asterisks over what may be a password."""
    covered = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        is_whole = before in _SEPARATE
        covered.append("*" * len(argument) if is_whole else _replace(argument, lambda part: "*" * len(part)))
    return covered


def conceal(text: str, tokens: Sequence[str]) -> str:
    """Return a message with nothing in it that may be a password in one of the tokens, in whatever way it is quoted.

    What also stands in a token where no password is, a user's name, say, is left as it is.
    """
    suspects = [token for token in tokens if has_password(token) and not _IN_MEMORY.fullmatch(token)]
    for token in suspects:
        for spelled in _list_spellings(token):
            text = text.replace(spelled, scrub(spelled))
    shown = "\n".join(scrub(token, mask="\n") if token in suspects else token for token in tokens)
    for secret in sorted(set(_list_secrets(suspects)), key=len, reverse=True):
        if secret not in shown:
            pattern = re.escape(secret) if len(secret) >= _SHORTEST else rf"(?<!\w){re.escape(secret)}(?!\w)"
            text = re.sub(pattern, _MASK, text)
    return text


def _list_secrets(tokens: Iterable[str]) -> Iterator[str]:
    """Yield what may be quoted of the passwords: each whole, and the pieces that a parser may have cut it into."""
    from urllib.parse import unquote  # noqa: PLC0415 - only a failure needs it, and `dbtool current` stands in prompts

    for token in tokens:
        for given in _GIVEN.findall(token):
            yield from filter(
                str.strip, _list_spellings(re.sub(r"\\(.)", r"\1", given.removeprefix("'").removesuffix("'")))
            )
        for start, end in _find(token):
            for part in (token[start:end], unquote(token[start:end])):
                yield from filter(str.strip, _list_spellings(part))
                # Where there are blanks, it is a statement: its words stand in errors for what they are.
                for piece in _PIECES.split(part) if len(token.split()) == 1 else ():
                    if len(piece) >= _SHORTEST_PIECE:
                        yield from _list_spellings(piece)


def _list_spellings(text: str) -> set[str]:
    return {text, repr(text)[1:-1], ascii(text)[1:-1], make_visible(text)}


def _replace(text: str, write: Callable[[str], str]) -> str:
    written, at = "", 0
    for start, end in _find(text):
        written += text[at:start] + write(text[start:end])
        at = end
    return written + text[at:]


def _find(text: str) -> list[tuple[int, int]]:
    """Return from where to where passwords may stand, in order, none of them in another."""
    if _TELLING.isdisjoint(text):
        return []
    named = _named().search(text)
    end = named.end() if named else len(text)
    # What comes behind a name is hidden to the end: quotes, escapes and separators may all be part of it.
    behind = [(end, len(text))] if named and end < len(text) else []
    access = _find_access(text)
    if access is None:
        return behind
    if behind and access[1] >= end:
        return [(min(access[0], end), len(text))]
    return [access, *behind]


def _find_access(text: str) -> tuple[int, int] | None:
    """Return where the password of `user:password@host` may stand, with or without a scheme before it."""
    colon = _COLON.search(text)
    if colon is None:
        return None
    is_url = text.startswith("://", colon.start())
    last = text.rfind("@", colon.end())
    if is_url and (last < 0 or _SCHEME.search(text[: colon.start()])):
        host = _HOST.match(text, colon.start() + 3)
        colon = _COLON.search(text, host.end() if host else colon.start() + 3)
        if colon is None:
            return None
    start = colon.end()
    if last >= start:
        return start, last
    escaped = [found.start() for found in _ESCAPED_AT.finditer(text, start)]
    if escaped:
        return start, escaped[-1]
    return (start, len(text)) if is_url and not _PORT.match(text, start) else None
