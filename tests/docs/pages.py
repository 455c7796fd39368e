"""The pages that people read: the front page, and those in docs/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"
PAGES = (README, *sorted(DOCS.glob("*.md")))

_FENCED = re.compile(r"^(```+)[^\n]*\n.*?^\1$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def find_broken_links(page: Path) -> Iterator[str]:
    """Yield each link of a page that leads to no file or heading of the checkout."""
    for link in _LINK.findall(_FENCED.sub("", page.read_text())):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or not target.is_relative_to(CHECKOUT) or (anchor and anchor not in _anchors(target)):
            yield link


def find_commands_in_text(page: Path) -> Iterator[str]:
    """Yield each command that a page names in its sentences and tables, but for headings, which show its form."""
    text = re.sub(r"^#.*$", "", _FENCED.sub("", page.read_text()), flags=re.MULTILINE)
    for said in re.findall(r"`(dbtool [a-z][^`]*)`", text):
        yield re.split(r" [|<>] ", " ".join(said.split()))[0]


def _anchors(page: Path) -> set[str]:
    """Return what GitHub names a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
