"""COPY text turned into CSV a block at a time, without a Python object for most of its fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dbtool.formats import copytext

_SPECIAL = (b",", b'"', b"\r", b"\\")
"""The bytes of COPY text that cannot stand in an unquoted CSV field; a backslash has to be undone."""
_NULL = copytext.NULL.encode()


def convert(block: bytes, null: str, quote: Callable[[str], str]) -> bytes:
    """Return a block of COPY text as CSV.

    NULL becomes `null`, which no field of the block may equal unless it is empty; `quote` quotes a
    text that needs it.
    """
    # Where every backslash belongs to a NULL, a plain replacement does for NULLs.
    nulls_are_plain = block.count(b"\\") == block.count(_NULL)
    special = [byte for byte in _SPECIAL if byte in block and not (byte == b"\\" and nulls_are_plain)]
    has_empty = not null and _has_empty_field(block)
    parts = []
    done = 0
    for start, stop in _find_fields(block, special):
        parts.append(_convert_run(block[done:start], null, has_empty=has_empty, first=done == 0))
        parts.append(_convert_field(block[start:stop], null, quote))
        done = stop
    parts.append(_convert_run(block[done:], null, has_empty=has_empty, first=done == 0))
    return b"".join(parts)


def _convert_field(field: bytes, null: str, quote: Callable[[str], str]) -> bytes:
    if b"\\" not in field:
        return b'"%b"' % field.replace(b'"', b'""')
    text = copytext.unescape(field.decode())
    return (null if text is None else quote(text)).encode()


def _find_fields(block: bytes, special: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where each field that holds one of the `special` bytes starts and stops."""
    if not special:
        return
    end = len(block)
    ahead = dict.fromkeys(special, -1)
    tab = newline = -1
    stop = 0
    while True:
        for byte, position in ahead.items():
            if position < stop:
                ahead[byte] = _find(block, byte, stop)
        found = min(ahead.values())
        if found == end:
            return
        start = max(block.rfind(b"\t", stop, found), block.rfind(b"\n", stop, found)) + 1
        tab = tab if tab > found else _find(block, b"\t", found)
        newline = newline if newline > found else _find(block, b"\n", found)
        stop = min(tab, newline)
        yield start, stop


def _find(block: bytes, byte: bytes, start: int) -> int:
    found = block.find(byte, start)
    return len(block) if found < 0 else found


def _convert_run(run: bytes, null: str, *, has_empty: bool, first: bool) -> bytes:
    """Return a run of fields without special bytes; it starts at the first field or at a separator."""
    if has_empty:
        run = _mark_empty_fields(run, first=first)
    return run.replace(b"\t", b",").replace(_NULL, null.encode())


def _has_empty_field(block: bytes) -> bool:
    return block.startswith((b"\t", b"\n")) or any(pair in block for pair in (b"\t\t", b"\t\n", b"\n\t", b"\n\n"))


def _mark_empty_fields(run: bytes, *, first: bool) -> bytes:
    if first and run.startswith((b"\t", b"\n")):
        run = b'""' + run
    # Replacements do not overlap, so that a second pass finds what stands between two empty fields.
    for pair in (b"\t\t", b"\t\t", b"\n\n", b"\n\n", b"\t\n", b"\n\t"):
        run = run.replace(pair, pair[:1] + b'""' + pair[1:])
    return run
