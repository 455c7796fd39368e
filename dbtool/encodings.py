"""Character encodings: by what names they are asked for, and what becomes of bytes that are no text in one."""

from __future__ import annotations

import codecs
import re
from enum import Enum

UTF8 = "utf-8"
_UNLIKE_NAMES = {
    "utf8mb3": UTF8,
    "utf8mb4": UTF8,
    "unicode": UTF8,
    # Bytes that the server looks at no further; most of them are UTF-8, and what is not is looked at here.
    "sqlascii": UTF8,
    "binary": UTF8,
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "macce": "mac-latin2",
    "eucjpms": "euc_jp",
    "shiftjis2004": "shift_jis_2004",
}
"""What servers call an encoding and Python does not; without case, dashes and underscores."""
_NUMBERED = ((re.compile(r"(?:win|windows)(\d+)"), r"cp\1"), (re.compile(r"(iso8859|utf)(\d+[bl]?e?)"), r"\1-\2"))
_NO_TEXT = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})


class InvalidText(Enum):
    """What is written where a server sends bytes that are no text in its session's encoding."""

    ERROR = "error"
    REPLACE = "replace"
    """U+FFFD, for each byte."""
    ESCAPE = "escape"
    """A backslash, x and the byte's two hexadecimal digits."""


def find_codec(name: str) -> str:
    """Return Python's name of an encoding, by any name that PostgreSQL, MySQL or Python has for it.

    Raises ValueError.
    """
    plain = re.sub(r"[\s_.-]", "", name.lower())
    names = [_UNLIKE_NAMES.get(plain, name), *(form.sub(said, plain) for form, said in _NUMBERED if form.match(plain))]
    for known in names:
        try:
            found = codecs.lookup(known)
        except (LookupError, ValueError, UnicodeError):
            continue
        is_text = getattr(found, "_is_text_encoding", True)
        if is_text and found.incrementaldecoder is not None and found.name not in _NO_TEXT:
            return found.name
    raise ValueError(f"{name!a} is no encoding that dbtool knows: write one such as utf-8, latin1, cp1252 or sjis")
