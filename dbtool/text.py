"""How numbers of things, and points in time, are written for people."""

from __future__ import annotations

import time


def count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def spell_time(epoch: float) -> str:
    """Write epoch seconds as the local time of day, with the date where it is another day."""
    local = time.localtime(epoch)
    form = "%H:%M:%S" if local[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, local)
