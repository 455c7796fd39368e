"""Run the pool against its model for ten minutes: a part of `make soak`, or `python -m tests.pool.soak SECONDS`."""

from __future__ import annotations

import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.pool.test_model import PoolMachine

_SECONDS = 600.0
_ROUND = settings(
    max_examples=200, stateful_step_count=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def main() -> None:
    """Run round after round until the time is up; a broken promise raises, with the steps that broke it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    end, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        run_state_machine_as_test(PoolMachine, settings=_ROUND)
        rounds += 1
        sys.stdout.write(f"{rounds * _ROUND.max_examples} runs of up to {_ROUND.stateful_step_count} steps held\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
