"""How text is written for people: nothing in it that cannot be seen, numbers of things, points in time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from dbtool.expressions import expression

CONTROLS = r"\x00-\x1f\x7f-\x9f"
"""Characters that move a cursor, ring a bell or begin a terminal's commands; the inside of a regular expression."""
UNSEEN = (
    # change the order in which what follows is shown
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    # have no width, or show nothing
    r"\u00ad\u034f\u115f\u1160\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    # break a line where no line break is
    r"\u2028\u2029"
    # tags and marks that no font shows
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Characters that cannot be seen, or change how others are: two texts that look alike may differ in them.

Variation selectors are left out, which only choose between two pictures of the character before them.
"""
_HIDDEN = expression(f"[{CONTROLS}{UNSEEN}]")


COLORS = {
    "black": "30",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "white": "37",
}
"""The colours that every terminal has, each with the number that begins it."""


def is_visible(text: str) -> bool:
    """Say whether `make_visible` leaves a text as it is, and nothing in it breaks a line."""
    # Some fillers count as letters, and so as printable.
    return text.isprintable() and (text.isascii() or _HIDDEN.search(text) is None)


def make_visible(text: str, *, keep: str = "") -> str:
    r"""Write each character that cannot be seen as `\xNN`, `\uNNNN` or `\UNNNNNNNN`, but for those in `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda match: match[0] if match[0] in keep else spell_code(match[0]), text)


def spell_code(character: str) -> str:
    """Write a character by its number, as Python does."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def join_with_or(choices: Iterable[str]) -> str:
    """Write the things of which any one will do."""
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def spell_time(epoch: float) -> str:
    """Write epoch seconds as the local time of day, with the date where it is another day."""
    local = time.localtime(epoch)
    form = "%H:%M:%S" if local[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, local)


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = expression(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_WHOLE = expression(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+")


_LONGEST_DURATION = 40
"""Characters: more digits than that no clock can count."""


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for; a bare number counts seconds.

    Raises ValueError with a one-line reason.
    """
    compact = text.strip().lower().replace(" ", "").replace("\N{MICRO SIGN}", "u")
    if len(compact) > _LONGEST_DURATION:
        raise ValueError("is too large: no clock counts so long a duration")
    if re.fullmatch(r"\d+(?:\.\d+)?", compact):
        return float(compact)
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text!r} is no duration: write a number and a unit, as in 250ms, 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact))


def format_duration(seconds: float) -> str:
    """Write seconds with the unit that a person would choose."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g}us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g}ms"
    if seconds < 120:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
