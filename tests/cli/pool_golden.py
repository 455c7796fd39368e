"""The golden files of pool-bench's details on stderr.

`python -m tests.cli.pool_golden` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from dbtool.bench.reports.report import Report
from dbtool.cli.pool_bench.drawing import draw_details
from tests.cli.pool_samples import (
    make_empty,
    make_environment,
    make_failed,
    make_hostile,
    make_many,
    make_refused,
    make_sound,
    make_swept,
)

DIRECTORY = Path(__file__).parent / "golden_pool"

CASES: dict[str, list[Report]] = {
    "compared.txt": [make_sound(), make_failed()],
    "swept.txt": [make_swept()],
    "refused.txt": [make_refused()],
    "empty.txt": [make_empty()],
    "hostile.txt": [make_hostile()],
    "many.txt": make_many(),
}


def make(case: str) -> str:
    """Return what a golden file has to hold."""
    return draw_details(make_environment(), CASES[case])


if __name__ == "__main__":
    for case in CASES:
        (DIRECTORY / case).write_text(make(case), encoding="utf-8", newline="\n")
