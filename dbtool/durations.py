"""Durations as people write them ("250ms", "30s", "1h30m"), held as float seconds."""

from __future__ import annotations

import re

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+")


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for; a bare number counts seconds.

    Raises ValueError with a one-line reason.
    """
    compact = text.strip().lower().replace(" ", "").replace("\N{MICRO SIGN}", "u")
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
