"""How Sphinx makes a site of the README and the pages beside this file: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).parents[1]
_README = (_CHECKOUT / "README.md").read_text(encoding="utf-8")

project = "dbtool"
(release,) = re.findall(r'^__version__ = "(.+)"', (_CHECKOUT / "dbtool" / "__init__.py").read_text(), re.MULTILINE)
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["README.md", "docs/*.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md"]
exclude_patterns = [".*", "build", "dbtool", "tests"]
templates_path = ["templates"]
# As GitHub names them, for the links from one page into another.
myst_heading_anchors = 4

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_title = f"dbtool {release}"
html_additional_pages = {"index": "redirect.html"}
html_use_index = False
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False


def setup(app: Any) -> None:
    """Give the front page the table of contents that every other page shows beside it."""
    app.connect("source-read", _add_contents)


def _add_contents(_app: Any, name: str, source: list[str]) -> None:
    if name == root_doc:
        names = re.findall(r"^\| \[.+\]\((docs/.+)\.md\)", _README, re.MULTILINE)
        listed = "\n".join([*names, "Measurements <benchmarks/RESULTS>", "CHANGELOG", "CONTRIBUTING"])
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
