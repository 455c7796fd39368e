"""Set how this checkout starts beside how another commit did, both in one run: `make bench AGAINST=REV`.

The two take turns, so that a machine that is busy for a while is busy for both, and each turn gives a ratio of its
own: their median is the figure, and the interval says how sure it is.
"""

from __future__ import annotations

import compileall
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import median

from benchmarks.cases import find_peer, list_present
from benchmarks.measure import Contender, Measurement, measure
from benchmarks.places import ROOT, Places, describe_machine, environment_of, open_places

RUNS = 40
COLUMNS = (
    "| Work | Who | Median s | Fastest s | dbtool ÷ it: median (95 %) | Of the fastest | Budget |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A command line that both run; `ratio` is what this checkout may take in times of the other commit."""

    name: str
    arguments: Sequence[str]
    ratio: float | None = None
    peers: Sequence[Contender] = ()


def _list_pairs(places: Places) -> Iterator[Pair]:
    usql = find_peer("usql", "usql", f"{places.postgres.url}?sslmode=disable", "-c", "select 1")
    yield Pair('`query "select 1"`, SQLite', ("query", "-p", "sqlite", "select 1"), 0.60)
    yield Pair('`query "select 1"`, PostgreSQL', ("query", "-p", "postgres", "select 1"), 0.65, list_present(usql))
    yield Pair('`query "select 1"`, MariaDB', ("query", "-p", "mariadb", "select 1"), 0.65)
    yield Pair("`current`", ("current",))
    yield Pair("`switch x`", ("switch", "sqlite"))
    yield Pair("`profile list`", ("profile", "list"))
    yield Pair("`--help`", ("--help",))


def compare(revision: str, *, only: str, runs: int) -> Iterator[str]:
    """Yield the lines of the comparison, each as soon as it is known."""
    with tempfile.TemporaryDirectory() as directory:
        other, commit = Path(directory), _name_commit(revision)
        _check_out(commit, other)
        yield f"## Start-up against {commit}\n"
        yield (
            f"{describe_machine()}. Both on the same packages; {runs} turns of each after one to warm up, at a load "
            f"average of {os.getloadavg()[0]:.1f}. A ratio is the median of the turns' own, in brackets its "
            "interval of 95 % confidence.\n"
        )
        yield from COLUMNS
        with open_places(filled=False) as places:
            environment = environment_of(places)
            for tree in (ROOT, other):
                _prepare(tree, environment)
            for pair in _list_pairs(places):
                if only in pair.name:
                    contenders = [_start("here", ROOT, pair), _start(commit, other, pair), *pair.peers]
                    yield from _rows(pair, measure(contenders, environment, runs=runs))


def _name_commit(revision: str) -> str:
    asked = ["git", "rev-parse", "--verify", "--short", f"{revision}^{{commit}}"]
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{revision}: no such commit here")
    return answer.stdout.strip()


def _check_out(commit: str, directory: Path) -> None:
    packed = subprocess.run(["git", "archive", commit, "dbtool"], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(directory, filter="data")


def _prepare(tree: Path, environment: Mapping[str, str]) -> None:
    """Compile a tree's modules, and see that it is the one that will run: a ratio of a tree to itself says nothing."""
    compileall.compile_dir(tree / "dbtool", quiet=1)
    # -P: as the script does, not out of the directory that one stands in.
    asked = [sys.executable, "-P", "-c", "import dbtool; print(dbtool.__file__)"]
    answer = subprocess.run(asked, env={**environment, **_variables(tree)}, capture_output=True, text=True, check=True)
    if Path(answer.stdout.strip()).parent != tree / "dbtool":
        raise SystemExit(f"{tree} was to be run, and {answer.stdout.strip()} would be")


def _variables(tree: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tree)}


def _start(name: str, tree: Path, pair: Pair) -> Contender:
    script = str(Path(sys.executable).with_name("dbtool"))
    return Contender(name, (script, *pair.arguments), variables=_variables(tree))


def _rows(pair: Pair, measurements: Sequence[Measurement]) -> Iterator[str]:
    own, *others = measurements
    yield f"| {pair.name} | here | {own.wall:.4f} | {own.fastest:.4f} | | | |"
    for other in others:
        ratios = [mine.wall / its.wall for mine, its in zip(own.samples, other.samples, strict=True)]
        low, high = find_interval(ratios)
        budget = ""
        if other is others[0] and pair.ratio is not None:
            budget = f"{pair.ratio:g} times: {'met' if median(ratios) <= pair.ratio else '**not met**'}"
        yield (
            f"| | {other.contender.name} | {other.wall:.4f} | {other.fastest:.4f} | "
            f"{median(ratios):.3f} ({low:.3f}-{high:.3f}) | {own.fastest / other.fastest:.3f} | {budget} |"
        )


def find_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return between which of the values the median of all such values lies, with 95 % confidence.

    Each value is as likely to lie above that median as below it, whatever their distribution; how many do is
    binomial. Of fewer than six values not even the outermost are far enough apart.
    """
    count, outside, cut = len(values), 0.0, 0
    while cut < count // 2:
        outside += comb(count, cut) / 2**count
        if outside > 0.025:
            break
        cut += 1
    ranked = sorted(values)
    return ranked[max(cut - 1, 0)], ranked[min(count - cut, count - 1)]
