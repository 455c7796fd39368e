"""The active profile as a piece of a shell's prompt."""

from __future__ import annotations

from dbtool.errors import one_line
from dbtool.profiles.look import Look

_CODES = {
    "black": 30,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "blue": 34,
    "magenta": 35,
    "cyan": 36,
    "white": 37,
}
# What tells each line editor that an escape sequence takes no room; a prompt of unknown width wraps wrongly.
_MARKS = {"bash": ("\x01", "\x02"), "zsh": ("%{", "%}"), "plain": ("", "")}
PROMPT_SHELLS = frozenset(_MARKS)


def render_segment(name: str, look: Look, shell: str) -> str:
    """Return a name in its profile's color, bold red where it is protected."""
    shown = one_line(name).replace("%", "%%") if shell == "zsh" else one_line(name)
    code = "1;31" if look.protected else _CODES.get(look.color or "")
    if code is None:
        return shown
    begin, end = _MARKS[shell]
    return f"{begin}\x1b[{code}m{end}{shown}{begin}\x1b[0m{end}"
