"""The law of scaling and its fit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbtool.bench.measures.scaling import Fit, fit, fit_throughputs
from dbtool.bench.measures.sizing import SIZES
from tests.bench.simulated_servers import scaling_law, sweep_exactly

_GAMMAS = st.floats(0.01, 1e6)
_ALPHAS = st.floats(0, 2)
_BETAS = st.floats(0, 0.5)
_THROUGHPUTS = st.lists(st.floats(0.1, 1e5), min_size=len(SIZES), max_size=len(SIZES))

# Errors small enough that no law without a cost of its own for one connection could be the nearest.
_ERRORS = st.lists(st.floats(0.8, 1.2), min_size=len(SIZES), max_size=len(SIZES))


def _law(*, gamma: float = 1.0, alpha: float, beta: float) -> Fit:
    return Fit(gamma=gamma, alpha=alpha, beta=beta, r_squared=1.0)


def _squared_errors(throughputs: list[float], constant: float, linear: float, quadratic: float) -> float:
    """Return the sum of the relative errors of N/X, squared."""
    return math.fsum(
        ((constant + linear * (size - 1) + quadratic * size * (size - 1)) * value / size - 1) ** 2
        for size, value in zip(SIZES, throughputs, strict=True)
    )


@given(_GAMMAS, _ALPHAS, _BETAS)
def test_a_fit_recovers_the_coefficients_of_exact_data(gamma: float, alpha: float, beta: float) -> None:
    found = fit(sweep_exactly(scaling_law(gamma, alpha, beta)))
    assert found.gamma == pytest.approx(gamma, rel=1e-6)
    assert found.alpha == pytest.approx(alpha, rel=1e-5, abs=1e-7)
    assert found.beta == pytest.approx(beta, rel=1e-5, abs=1e-7)
    assert found.r_squared == pytest.approx(1)


@given(_THROUGHPUTS)
def test_no_coefficient_is_ever_below_zero(throughputs: list[float]) -> None:
    found = fit_throughputs(SIZES, throughputs)
    assert 0 < found.gamma < math.inf
    assert found.alpha >= 0
    assert found.beta >= 0
    assert found.r_squared <= 1


@given(_ALPHAS, _BETAS, _ERRORS, st.tuples(st.floats(0.8, 1.2), st.floats(0, 3), st.floats(0, 1)))
def test_no_other_law_is_nearer_in_relative_terms(
    alpha: float, beta: float, errors: list[float], other: tuple[float, float, float]
) -> None:
    law = scaling_law(1, alpha, beta)
    throughputs = [law(size) * error for size, error in zip(SIZES, errors, strict=True)]
    found = fit_throughputs(SIZES, throughputs)
    ours = _squared_errors(throughputs, 1 / found.gamma, found.alpha / found.gamma, found.beta / found.gamma)
    assert ours <= _squared_errors(throughputs, 1, alpha, beta) + 1e-9
    assert ours <= _squared_errors(throughputs, *other) + 1e-9


@given(_THROUGHPUTS, st.floats(0.01, 100))
def test_another_unit_of_throughput_changes_gamma_alone(throughputs: list[float], factor: float) -> None:
    before = fit_throughputs(SIZES, throughputs)
    after = fit_throughputs(SIZES, [value * factor for value in throughputs])
    assert after.gamma == pytest.approx(before.gamma * factor, rel=1e-6)
    assert after.throughput(10) == pytest.approx(before.throughput(10) * factor, rel=1e-6)


@given(st.floats(0, 0.95), st.floats(1e-4, 0.5))
def test_throughput_rises_up_to_the_peak_and_falls_from_there(alpha: float, beta: float) -> None:
    law = _law(alpha=alpha, beta=beta)
    assert law.peak == max(1, math.sqrt((1 - alpha) / beta))
    around = [law.throughput(max(1.0, law.peak * part)) for part in (0.5, 0.8, 1.0)]
    assert around == sorted(around)
    beyond = [law.throughput(law.peak * part) for part in (1.0, 1.3, 2.0)]
    assert beyond == sorted(beyond, reverse=True)
    assert law.summit == pytest.approx(max(law.throughput(size) for size in range(1, 102)))


@given(st.floats(0, 2), _BETAS, st.floats(1, 100))
def test_elasticity_is_the_slope_between_logarithms(alpha: float, beta: float, size: float) -> None:
    law = _law(alpha=alpha, beta=beta)
    rise = math.log(law.throughput(size * 1.0001) / law.throughput(size / 1.0001))
    assert law.elasticity(size) == pytest.approx(rise / (2 * math.log(1.0001)), abs=1e-5)


def test_without_crosstalk_throughput_rises_for_ever_towards_a_bound() -> None:
    assert _law(alpha=0.25, beta=0.0).peak == math.inf
    assert _law(gamma=10, alpha=0.25, beta=0.0).summit == 40
    assert _law(alpha=0.0, beta=0.0).summit == math.inf


def test_a_server_that_does_one_thing_at_a_time_peaks_at_one_connection() -> None:
    for law in (_law(alpha=1.0, beta=0.0), _law(alpha=1.5, beta=0.0), _law(alpha=1.2, beta=0.01)):
        assert law.peak == 1
        assert law.summit == law.throughput(1)


def test_a_constant_throughput_is_wholly_explained() -> None:
    found = fit_throughputs(SIZES, [500.0] * len(SIZES))
    assert (found.gamma, found.alpha, found.r_squared) == pytest.approx((500, 1, 1))


def test_throughput_that_jumps_about_is_hardly_explained() -> None:
    assert fit_throughputs(SIZES, [900.0, 300.0] * 6).r_squared < 0.5


def test_few_points_and_one_point_are_fitted_by_what_they_can_tell() -> None:
    assert fit_throughputs([1], [100.0]) == Fit(gamma=100, alpha=0, beta=0, r_squared=1)
    two = fit_throughputs([1, 2], [100.0, 150.0])
    assert [two.throughput(1), two.throughput(2)] == pytest.approx([100, 150])


@pytest.mark.parametrize("throughputs", [[], [0.0], [100.0, -1.0]])
def test_a_point_without_throughput_cannot_be_fitted(throughputs: list[float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        fit_throughputs(range(1, len(throughputs) + 1), throughputs)
