"""What a maintainer looks at before a release: `python -m tests.packaging.release`, after the tests have passed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dbtool import __version__

CHECKOUT = Path(__file__).parents[2]
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def main() -> int:
    """Print what stands in the way of a release; return the exit status."""
    problems = [*find_problems(_git, (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)]
    for problem in problems:
        print(f"release: {problem}")  # noqa: T201 - a command for people
    if not problems:
        print(f"release: {__version__} can be tagged: git tag -s v{__version__}")  # noqa: T201
    return 1 if problems else 0


def find_problems(git: Callable[..., str], changelog: str, version: str) -> Iterator[str]:
    """Yield what is missing for a release of `version`, each with its cure; `git` runs one of its commands."""
    if git("status", "--porcelain"):
        yield "the checkout has changes that are not committed"
    if git("tag", "--list", f"v{version}"):
        yield f"v{version} is tagged already: raise __version__ in dbtool/__init__.py"
    sections = dict(zip(_HEADING.findall(changelog), _HEADING.split(changelog)[2::2], strict=True))
    if sections.get("Unreleased", "").strip():
        yield f'CHANGELOG.md still has entries under "Unreleased": give them the heading "{version} - YYYY-MM-DD"'
    if not any(re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", heading) for heading in sections):
        yield f'CHANGELOG.md has no heading "{version} - YYYY-MM-DD"'


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
