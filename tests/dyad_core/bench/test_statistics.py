from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.bench.statistics import EXACT_ROUNDS, inflation, paired_speedup, quartiles, spread_warning

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


def walsh_averages_by_hand(dense: list[float], candidate: list[float]) -> list[float]:
    """Averages of every pair of log ratios, each with itself too, in ascending order."""
    logs = [math.log(above / below) for above, below in zip(dense, candidate, strict=True)]
    return sorted((logs[i] + logs[j]) / 2 for i in range(len(logs)) for j in range(i, len(logs)))


def positive_rank_sums(rounds: int) -> list[int]:
    """The signed-rank statistic of every pattern of signs."""
    return [
        sum(rank for rank, sign in enumerate(signs, start=1) if sign)
        for signs in itertools.product([False, True], repeat=rounds)
    ]


@given(pairs)
def test_speedup_is_the_median_of_all_averages_of_two_rounds(rounds: list[tuple[float, float]]) -> None:
    dense, candidate = zip(*rounds, strict=True)
    expected = math.exp(statistics.median(walsh_averages_by_hand(list(dense), list(candidate))))
    assert paired_speedup(dense, candidate).estimate == pytest.approx(expected)


@pytest.mark.parametrize("rounds", range(1, 11))
def test_interval_inverts_the_signed_rank_test(rounds: int) -> None:
    generator = np.random.default_rng(rounds)
    dense, candidate = list(np.exp(generator.standard_normal(rounds))), [1.0] * rounds
    sums = positive_rank_sums(rounds)
    outside = 0
    while sum(value <= outside for value in sums) / len(sums) <= 0.025:
        outside += 1
    ordered = walsh_averages_by_hand(dense, candidate)
    widened = paired_speedup(dense, candidate)
    if inflation(np.log(dense)) == 1.0:
        assert widened.low == pytest.approx(math.exp(ordered[outside]))
        assert widened.high == pytest.approx(math.exp(ordered[len(ordered) - 1 - outside]))
    assert widened.low <= math.exp(ordered[outside]) + 1e-12


def test_many_rounds_take_the_normal_distribution_where_the_exact_one_agrees() -> None:
    for rounds in (EXACT_ROUNDS, EXACT_ROUNDS + 1):
        ratios = np.exp(np.random.default_rng(1).standard_normal(rounds))
        found = paired_speedup(ratios, np.ones(rounds), critical_value=2.0)
        averages = walsh_averages_by_hand(list(ratios), [1.0] * rounds)
        mean, deviation = rounds * (rounds + 1) / 4, math.sqrt(rounds * (rounds + 1) * (2 * rounds + 1) / 24)
        near = averages[int(mean - 2.0 * inflation(np.log(ratios)) * deviation)]
        assert math.log(found.low) == pytest.approx(near, abs=0.02)


def test_rounds_that_resemble_their_neighbours_widen_the_interval() -> None:
    alternating = np.array([1.0, -1.0] * 20)
    assert inflation(alternating) == 1.0
    runs = np.repeat(np.random.default_rng(0).standard_normal(10), 6)
    assert 1.8 < inflation(runs) < 3.0  # blocks of six: the root of 6 in the limit
    independent = [inflation(np.random.default_rng(seed).standard_normal(40)) for seed in range(200)]
    assert statistics.median(independent) < 1.15


@given(pairs)
def test_interval_contains_the_estimate(rounds: list[tuple[float, float]]) -> None:
    dense, candidate = zip(*rounds, strict=True)
    found = paired_speedup(dense, candidate)
    assert found.low <= found.estimate <= found.high


@given(samples)
def test_a_candidate_against_itself_is_exactly_one(values: list[float]) -> None:
    found = paired_speedup(values, values)
    assert (found.low, found.estimate, found.high) == (1.0, 1.0, 1.0)


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
        found = paired_speedup(ratios, np.ones(25))
        covered += found.low <= 2.0 <= found.high
    assert 0.92 <= covered / 200 <= 1.0
