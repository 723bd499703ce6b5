from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.bench.statistics import paired_speedup, quartiles, spread_warning

times = st.floats(0.001, 1000)
samples = st.lists(times, min_size=1, max_size=20)
pairs = st.lists(st.tuples(times, times), min_size=1, max_size=20)


def quantile_by_hand(values: list[float], share: float) -> float:
    """Linear interpolation between order statistics, the slow obvious way."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@given(samples)
def test_quartiles_equal_the_slow_obvious_way(values: list[float]) -> None:
    found = quartiles(values)
    assert found.q1 == pytest.approx(quantile_by_hand(values, 0.25))
    assert found.median == pytest.approx(statistics.median(values))
    assert found.q3 == pytest.approx(quantile_by_hand(values, 0.75))


@given(pairs)
def test_speedup_is_the_median_of_the_ratios_of_each_round(rounds: list[tuple[float, float]]) -> None:
    dense, candidate = zip(*rounds, strict=True)
    expected = statistics.median(above / below for above, below in rounds)
    assert paired_speedup(dense, candidate).median == pytest.approx(expected)


def test_interval_equals_a_bootstrap_written_as_loops() -> None:
    dense, candidate = [3.0, 2.5, 4.0, 3.2], [1.0, 1.1, 1.3, 0.9]
    drawn = np.random.default_rng(7).integers(0, 4, size=(2000, 4))
    ratios = [above / below for above, below in zip(dense, candidate, strict=True)]
    medians = [statistics.median(ratios[k] for k in row) for row in drawn]
    found = paired_speedup(dense, candidate, seed=7)
    assert found.low == pytest.approx(quantile_by_hand(medians, 0.025))
    assert found.high == pytest.approx(quantile_by_hand(medians, 0.975))


@given(pairs)
def test_interval_contains_the_estimate(rounds: list[tuple[float, float]]) -> None:
    dense, candidate = zip(*rounds, strict=True)
    found = paired_speedup(dense, candidate)
    assert found.low <= found.median <= found.high


@given(samples)
def test_a_candidate_against_itself_is_exactly_one(values: list[float]) -> None:
    found = paired_speedup(values, values)
    assert (found.low, found.median, found.high) == (1.0, 1.0, 1.0)


@given(pairs, st.sampled_from([0.5, 2.0, 1024.0]))
def test_the_unit_of_the_samples_does_not_matter(rounds: list[tuple[float, float]], scale: float) -> None:
    dense, candidate = zip(*rounds, strict=True)
    scaled = paired_speedup([scale * value for value in dense], [scale * value for value in candidate])
    assert scaled == paired_speedup(dense, candidate)  # exact: powers of two round nowhere


@given(pairs)
def test_a_drift_that_hits_a_whole_round_cancels(rounds: list[tuple[float, float]]) -> None:
    dense, candidate = zip(*rounds, strict=True)
    drift = [2.0**k for k in range(len(rounds))]
    drifted = paired_speedup(
        [value * d for value, d in zip(dense, drift, strict=True)],
        [value * d for value, d in zip(candidate, drift, strict=True)],
    )
    assert drifted == paired_speedup(dense, candidate)


def test_more_spread_gives_a_wider_interval() -> None:
    ones = [1.0] * 12
    narrow = paired_speedup([2.0, 2.1] * 6, ones)
    wide = paired_speedup([1.0, 3.1] * 6, ones)
    assert wide.high - wide.low > narrow.high - narrow.low > 0


def test_seed_decides_the_bounds() -> None:
    dense, candidate = [3.0, 2.5, 4.0, 3.2, 1.7], [1.0, 1.1, 1.3, 0.9, 1.6]
    assert paired_speedup(dense, candidate, seed=1) == paired_speedup(dense, candidate, seed=1)
    bounds = {(f.low, f.high) for f in (paired_speedup(dense, candidate, seed=k, resamples=50) for k in range(8))}
    assert len(bounds) > 1


@pytest.mark.parametrize("wrong", [[], [0.0], [-1.0], [float("nan")], [float("inf")]])
def test_samples_must_be_positive_finite_numbers(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="positive finite"):
        quartiles(wrong)
    with pytest.raises(ValueError, match="positive finite"):
        paired_speedup(wrong, wrong)


def test_unpaired_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="3 of dense cannot pair with 2"):
        paired_speedup([1.0, 1.0, 1.0], [1.0, 1.0])


def test_only_a_wide_spread_is_warned_about() -> None:
    assert spread_warning([1.0, 1.01, 1.02, 1.03]) is None
    warning = spread_warning([1.0, 1.5, 2.0, 2.5])
    assert warning is not None
    assert "43%" in warning


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in itertools.repeat(None, 200):
        ratios = 2.0 * np.exp(0.1 * generator.standard_normal(25))  # median 2
        found = paired_speedup(ratios, np.ones(25), resamples=400)
        covered += found.low <= 2.0 <= found.high
    assert 0.88 <= covered / 200 <= 1.0
