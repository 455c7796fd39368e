"""What a built site must not do: `python -m tests.docs.site DIRECTORY` names what a page would fetch from elsewhere.

It is read where there is no network, and by people who tell nobody what they read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_ELSEWHERE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)", re.IGNORECASE)
# Addresses that are looked at when somebody follows them, or never.
_FOLLOWED = {
    ("a", "href"),
    ("area", "href"),
    ("form", "action"),
    ("svg", "xmlns"),
    ("blockquote", "cite"),
    ("q", "cite"),
}
_IN_SCRIPT = re.compile(r"(?:fetch|import|importScripts|Request|\.src\s*=|\.href\s*=)\s*\(?\s*[\"'`]([^\"'`]+)")


def find_foreign(directory: Path) -> Iterator[str]:
    """Yield what each page, style and script of a site would fetch from another host."""
    for file in sorted(directory.rglob("*")):
        if file.suffix in {".html", ".css", ".js"}:
            text = file.read_text(encoding="utf-8")
            found = {".html": _find_in_page, ".css": _find_in_style, ".js": _find_in_script}[file.suffix](text)
            yield from (f"{file.relative_to(directory)}: {address}" for address in found)


def _find_in_page(text: str) -> Iterator[str]:
    page = _Page()
    page.feed(text)
    yield from page.foreign


def _find_in_style(text: str) -> Iterator[str]:
    yield from filter(_ELSEWHERE.match, _IN_STYLE.findall(text))


def _find_in_script(text: str) -> Iterator[str]:
    yield from filter(_ELSEWHERE.match, _IN_SCRIPT.findall(text))


class _Page(HTMLParser):
    """A page as a browser reads it, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag's attributes."""
        self._within = tag
        for name, value in attrs:
            if name == "style":
                self.foreign += _find_in_style(value or "")
            elif (tag, name) not in _FOLLOWED and value:
                # srcset holds several, with commas between them; refresh hides one behind "url=".
                parts = re.split(r"[,\s]+|url=", value) if name in {"srcset", "content"} else [value]
                self.foreign += filter(_ELSEWHERE.match, parts)

    def handle_data(self, data: str) -> None:
        """Look at what stands within a style or a script."""
        if self._within in {"style", "script"}:
            self.foreign += {"style": _find_in_style, "script": _find_in_script}[self._within](data)

    def handle_endtag(self, tag: str) -> None:
        """Leave a style or a script."""
        self._within = ""


if __name__ == "__main__":
    foreign = [*find_foreign(Path(sys.argv[1]))]
    print(*foreign, sep="\n") if foreign else print(f"docs: {sys.argv[1]}/index.html")  # noqa: T201 - for people
    sys.exit(1 if foreign else 0)
