"""The arguments of this process as others see them: `ps` shows them to every user of the machine."""

from __future__ import annotations

from pathlib import Path

from dbtool.scrubbing import cover

_START, _END = 45, 46
"""Where /proc/PID/stat says, after the program's name, between which addresses the arguments lie (proc(5))."""


def hide_passwords() -> None:
    """Overwrite what may be a password among the arguments; `sys.argv` keeps them.

    Linux alone says where the arguments lie; elsewhere nothing is done.
    """
    try:
        shown = Path("/proc/self/cmdline").read_bytes()
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return
    # As Latin-1 every byte is a character, and stays one.
    hidden = "\0".join(cover(shown.decode("latin-1").split("\0"))).encode("latin-1")
    start, end = int(fields[_START]), int(fields[_END])
    if hidden == shown or not start or end - start != len(shown):
        return
    import ctypes  # slow to import, and few commands have a password in an argument

    if ctypes.string_at(start, len(shown)) == shown:
        ctypes.memmove(start, hidden, len(shown))
