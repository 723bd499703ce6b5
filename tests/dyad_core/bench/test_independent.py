"""Ratios between runs: right on known truths, the same for the same samples, and careful with few of them."""

from __future__ import annotations

import numpy as np
import pytest

from dyad_core.bench.independent import Interval, ratio_of_figures, ratio_of_medians


@pytest.mark.parametrize(("above", "below"), [(5, 5), (10, 30), (30, 30)])
@pytest.mark.parametrize("spikes", [False, True])
def test_the_interval_covers_the_true_ratio(above: int, below: int, spikes: bool) -> None:
    drawn, runs, covered = np.random.default_rng(3), 1000, 0

    def sample(count: int) -> list[float]:
        values = np.exp(drawn.normal(0, 0.05, count))
        hit = drawn.random(count) < 0.15 if spikes else np.zeros(count, dtype=bool)
        return [float(value) for value in values * np.where(hit, 1 + drawn.exponential(1, count), 1)]

    for _ in range(runs):
        found = ratio_of_medians([2 * value for value in sample(above)], sample(below))
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        covered += found.low <= 2 <= found.high
    assert covered >= 0.93 * runs


def test_equal_samples_give_equal_figures_and_order_does_not_matter() -> None:
    samples = [1.0, 1.5, 1.25, 0.75, 1.0, 2.0]
    assert ratio_of_medians(samples, samples[::-1]) == ratio_of_medians(samples, samples)
    assert ratio_of_medians(samples, samples).value == 1.0


def test_the_other_way_round_is_the_inverse() -> None:
    first, second = [1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.5, 2.1, 2.2, 2.3]
    there, back = ratio_of_medians(first, second), ratio_of_medians(second, first)
    assert there.value == pytest.approx(1 / back.value)
    assert (there.low, there.high) == (pytest.approx(1 / back.high), pytest.approx(1 / back.low))


@pytest.mark.parametrize("count", [1, 4])
def test_few_samples_have_a_ratio_and_no_interval(count: int) -> None:
    assert ratio_of_medians([2.0] * count, [1.0] * 30) == Interval(2.0, None, None)


def test_samples_without_spread_have_an_interval_without_width() -> None:
    assert ratio_of_medians([3.0] * 10, [2.0] * 10) == Interval(1.5, pytest.approx(1.5), pytest.approx(1.5))


def test_two_figures_hand_their_intervals_on() -> None:
    found = ratio_of_figures(Interval(3.0, 2.7, 3.3), Interval(1.5, 1.5, 1.5))
    assert (found.value, found.low, found.high) == (2.0, pytest.approx(1.8), pytest.approx(2.2))
    wider = ratio_of_figures(Interval(3.0, 2.7, 3.3), Interval(1.5, 1.4, 1.6))
    assert wider.low is not None
    assert wider.high is not None
    assert wider.low < 1.8
    assert wider.high > 2.2
    assert ratio_of_figures(Interval(3.0, None, None), Interval(1.5, 1.4, 1.6)) == Interval(2.0, None, None)
    assert ratio_of_figures(Interval(3.0, 5e-324, 1e308), Interval(1.5, 1e-300, 1.6)) == Interval(2.0, None, None)
