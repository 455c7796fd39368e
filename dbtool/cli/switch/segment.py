"""The active profile as a piece of a shell's prompt."""

from __future__ import annotations

from dbtool.errors import UsageError, one_line
from dbtool.profiles.active.unchecked import Look
from dbtool.records import Record
from dbtool.text import COLORS


class Marks(Record):
    """What tells a line editor that an escape sequence takes no room: a prompt of unknown width wraps wrongly."""

    begin: str = ""
    end: str = ""
    percent: str = "%"
    """How a percent sign is spelled."""


_MARKS = {
    "bash": Marks(begin="\x01", end="\x02"),
    "zsh": Marks(begin="%{", end="%}", percent="%%"),
    "plain": Marks(),
}


def find_marks(shell: str) -> Marks:
    """Return the marks of a shell; raises UsageError."""
    if shell not in _MARKS:
        raise UsageError(f"--prompt {shell!r}: write {', '.join(_MARKS)}")
    return _MARKS[shell]


def render_segment(name: str, look: Look, marks: Marks) -> str:
    """Return a name in its profile's color, bold red where it is protected."""
    shown = one_line(name).replace("%", marks.percent)
    code = "1;31" if look.protected else COLORS.get(look.color or "")
    if code is None:
        return shown
    return f"{marks.begin}\x1b[{code}m{marks.end}{shown}{marks.begin}\x1b[0m{marks.end}"
