from __future__ import annotations

import math

import numpy as np
import pytest

from dyad_core.bench.looks import CONFIDENCE, LOOKS, MAX_ROUNDS, MIN_ROUNDS, critical_value, stays_within


@pytest.mark.parametrize(("looks", "published"), [(1, 1.960), (2, 2.178), (3, 2.289), (5, 2.413), (10, 2.555)])
def test_equal_steps_give_the_constants_of_pocock(looks: int, published: float) -> None:
    """Jennison and Turnbull 2000, Group Sequential Methods, table 2.1."""
    assert critical_value(tuple(range(1, looks + 1))) == pytest.approx(published, abs=0.001)


def test_sums_stay_within_as_often_as_computed() -> None:
    generator = np.random.default_rng(0)
    sums = np.cumsum(generator.standard_normal((20_000, MAX_ROUNDS)), axis=1)
    at = np.array(LOOKS)
    standardised = np.abs(sums[:, at - 1]) / np.sqrt(at)
    bound = critical_value()
    share = float((standardised <= bound).all(axis=1).mean())
    assert share == pytest.approx(CONFIDENCE, abs=0.006)  # four standard errors
    assert stays_within(bound, LOOKS) == pytest.approx(CONFIDENCE, abs=1e-4)


def test_a_look_that_comes_sooner_makes_the_bounds_hold_all_the_more() -> None:
    for cut in range(1, len(LOOKS)):
        for early in range(LOOKS[cut - 1] + 1, LOOKS[cut]):
            assert stays_within(critical_value(), (*LOOKS[:cut], early)) >= CONFIDENCE


def test_the_first_look_has_enough_rounds_for_the_bound() -> None:
    tail = math.erfc(critical_value() / math.sqrt(2)) / 2
    assert tail >= 2.0**-MIN_ROUNDS, "with fewer signs no signed-rank interval reaches this confidence"
