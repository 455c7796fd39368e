"""Measure dbtool beside its peers on private servers, and write `benchmarks/RESULTS.md`.

Whole processes, byte-compiled, the contenders of a case in turn. Figures hold on the machine that
they were taken on; the ratios are what to look at.
"""

from __future__ import annotations

import argparse
import compileall
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import paired
from benchmarks.cases import Case, list_cases
from benchmarks.completion import measure_completion
from benchmarks.measure import Measurement, measure
from benchmarks.places import ROOT, TABLES, describe_machine, environment_of, fill_many, open_places

RESULTS = Path(__file__).with_name("RESULTS.md")
_RUNS = 7


def _rows(case: Case, measurements: Sequence[Measurement]) -> Iterator[str]:
    own = measurements[0]
    for number, measurement in enumerate(measurements):
        is_own = measurement is own
        budget = _budget(case, own) if is_own else ""
        if number == 1 and case.ratio is not None:
            budget = f"{case.ratio:g} times: {_verdict(own.wall / measurement.wall <= case.ratio)}"
        ratio = "" if is_own else f"{own.wall / measurement.wall:.2f}"
        yield (
            f"| {case.name if is_own else ''} | {measurement.contender.name} | {measurement.wall:.3f} | "
            f"{measurement.cpu:.3f} | {measurement.peak:.0f} | {ratio} | {budget} |"
        )


def _budget(case: Case, own: Measurement) -> str:
    parts = []
    if case.budget is not None:
        parts.append(f"{case.budget:.3g} s: {_verdict(own.wall <= case.budget)}")
    if case.memory is not None:
        parts.append(f"{case.memory:g} MB: {_verdict(own.peak <= case.memory)}")
    if case.ratio is not None and len(case.contenders) == 1:
        parts.append(f"{case.ratio:g} times: the client to compare with is missing")
    return ", ".join(parts)


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def compare_with_peers(*, only: str, runs: int) -> Iterator[str]:
    """Yield the lines of the table, each as soon as it is known."""
    compileall.compile_dir(ROOT / "dbtool", quiet=1)
    yield "# Results\n"
    yield (
        f"{describe_machine()}. Whole processes, byte-compiled; medians of {runs} runs after a "
        "warm-up; the contenders of a case ran in turn.\n"
    )
    yield "| Work | Who | Wall s | CPU s | Peak MB | dbtool ÷ peer | Budget |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    with open_places(filled=True) as places:
        cases = [case for case in list_cases(places) if only in case.name]
        if any(f"{TABLES:,}" in case.name for case in cases):
            fill_many(places)
        for case in cases:
            yield from _rows(case, measure(case.contenders, environment_of(places), runs=runs))


def compare_keys() -> Iterator[str]:
    """Yield the lines about the prompt."""
    with open_places(filled=False) as places:
        fill_many(places)
        yield from measure_completion(places)


def write_part(text: str) -> None:
    """Put a part of the results, which begins with its heading, in the place of that before it."""
    parts = re.split(r"(?m)^(?=#{1,2} )", RESULTS.read_text() if RESULTS.exists() else "")
    kept = {part.partition("\n")[0]: part.strip() for part in [*parts, text] if part.strip()}
    RESULTS.write_text("\n\n".join(kept.values()) + "\n")


def main() -> None:
    """Run the cases whose name holds `--only`; a run of all of them is written to RESULTS.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--runs", type=int, help="runs of each contender, after one to warm up")
    parser.add_argument("--against", metavar="REV", help="compare with how another commit starts, and not with peers")
    parser.add_argument(
        "--keys", action="store_true", help="measure how soon the prompt answers a key, and nothing else"
    )
    arguments = parser.parse_args()
    if arguments.keys:
        part = compare_keys()
    elif arguments.against:
        part = paired.compare(arguments.against, only=arguments.only, runs=arguments.runs or paired.RUNS)
    else:
        part = compare_with_peers(only=arguments.only, runs=arguments.runs or _RUNS)
    lines = []
    for line in part:
        print(line, flush=True)
        lines.append(line)
    if not arguments.only:
        write_part("\n".join(lines))


if __name__ == "__main__":
    main()
