"""What stands in the way of a release."""

from __future__ import annotations

import pytest

from tests.packaging.release import find_problems

_READY = "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-12-01\n\n- something\n\n## 1.1.0 - 2026-11-01\n"


def _git(status: str = "", tags: str = "") -> object:
    return lambda command, *_arguments: {"status": status, "tag": tags}[command]


@pytest.mark.parametrize(
    ("git", "changelog", "expected"),
    [
        (_git(), _READY, []),
        (_git(status=" M README.md"), _READY, ["changes that are not committed"]),
        (_git(tags="v1.2.0"), _READY, ["tagged already"]),
        (_git(), _READY.replace("Unreleased\n", "Unreleased\n\n- more\n"), ['entries under "Unreleased"']),
        (_git(), _READY.replace("1.2.0", "1.3.0"), ['no heading "1.2.0 - YYYY-MM-DD"']),
    ],
)
def test_what_is_missing_is_named(git: object, changelog: str, expected: list[str]) -> None:
    problems = list(find_problems(git, changelog, "1.2.0"))  # type: ignore[arg-type]
    assert len(problems) == len(expected)
    assert all(part in problem for part, problem in zip(expected, problems, strict=True))
