"""What pool-bench ends with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbtool.bench.report import FAIL
from dbtool.cli.pool_outputs import require_pass
from dbtool.errors import ExpectationError
from tests.cli.pool_samples import make_failed, make_sound


def test_a_sound_pool_passes() -> None:
    require_pass(make_sound())


def test_a_failed_gate_is_named() -> None:
    with pytest.raises(ExpectationError, match=r"pool peewee failed: bleed \("):
        require_pass(make_failed())


def test_a_pool_that_served_nobody_has_failed_whatever_its_gates_say() -> None:
    sound = make_sound()
    idle = replace(sound, verdict=FAIL, measures=replace(sound.measures, requests=0, first_failure="Refused: no"))
    with pytest.raises(ExpectationError, match="no request was served; the first failure: Refused: no"):
        require_pass(idle)
