"""The arguments of this process as others see them: `ps` shows them to every user of the machine."""

from __future__ import annotations

import re
from pathlib import Path

_PASSWORDS = re.compile(rb"(://[^\0:/@]*:)([^\0]*)(?=@)|([?&]password=)([^\0&]*)")
_START, _END = 45, 46
"""Where /proc/PID/stat says, after the program's name, between which addresses the arguments lie (proc(5))."""


def hide_passwords() -> None:
    """Overwrite the passwords of URLs among the arguments; `sys.argv` keeps them.

    Linux alone says where the arguments lie; elsewhere nothing is done.
    """
    try:
        shown = Path("/proc/self/cmdline").read_bytes()
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return
    hidden = _PASSWORDS.sub(_mask, shown)
    start, end = int(fields[_START]), int(fields[_END])
    if hidden == shown or not start or end - start != len(shown):
        return
    import ctypes  # slow to import, and few commands have a password in an argument

    if ctypes.string_at(start, len(shown)) == shown:
        ctypes.memmove(start, hidden, len(shown))


def _mask(found: re.Match[bytes]) -> bytes:
    kept = found[1] or found[3]
    return kept + b"*" * (len(found[0]) - len(kept))
