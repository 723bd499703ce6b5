from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.bench.precision_split import median_interval, part_of, unpaired

times = st.floats(1e-3, 1e3)


@given(times, times, times)
def test_the_factors_multiply_to_the_headline(dense32: float, dyad32: float, dyad16: float) -> None:
    part = part_of("forward", dense32, dyad32, dyad16)
    assert part.headline is not None
    assert part.structure is not None
    assert part.precision is not None

    assert part.headline.ratio == pytest.approx(part.structure.ratio * part.precision.ratio)
    assert part.headline.ratio == dense32 / dyad16
    assert (part.headline.low, part.headline.high) == (None, None)
    assert f"{dense32 / dyad16:.2f}x = " in part.arithmetic


@pytest.mark.parametrize(
    ("dense32", "dyad32", "dyad16", "there"),
    [
        (4.0, 2.0, None, {"structure"}),
        (4.0, None, 1.0, {"headline"}),
        (None, 2.0, 1.0, {"precision"}),
        (4.0, None, None, set()),
    ],
)
def test_a_missing_time_leaves_out_what_needs_it(dense32, dyad32, dyad16, there: set[str]) -> None:
    part = part_of("forward", dense32, dyad32, dyad16)

    assert {name for name in ("headline", "structure", "precision") if getattr(part, name) is not None} == there
    assert "precision" not in part.arithmetic


def test_intervals_hold_their_ratio() -> None:
    part = part_of(
        "forward", 4.0, 2.0, 1.0, dense_float16_ms=1.5, bounds={"structure": (2.1, 2.3), "headline": (3.0, 5.0)}
    )

    assert part.structure is not None
    assert (part.structure.low, part.structure.high) == (2.0, 2.3)
    assert part.headline is not None
    assert (part.headline.low, part.headline.high) == (3.0, 5.0)
    assert part.structure_float16 is not None
    assert part.structure_float16.ratio == 1.5


def test_the_interval_of_a_median_is_the_textbook_one() -> None:
    # n = 10: the 2nd and the 9th value cover with probability 1 - 2·(1 + 10)/1024 = 0.9785.
    assert median_interval(list(range(1, 11)), 0.975) == (2, 9)
    assert median_interval(list(range(1, 11)), 0.98) == (1, 10)
    assert median_interval([1.0] * 5, 0.975) is None
    assert median_interval([], 0.95) is None


@given(st.lists(times, min_size=7, max_size=40), st.lists(times, min_size=7, max_size=40))
def test_an_unpaired_interval_holds_the_ratio_of_the_medians(above: list[float], below: list[float]) -> None:
    bounds = unpaired(above, below)

    assert bounds is not None
    assert bounds[0] <= median(above) / median(below) * (1 + 1e-9)
    assert bounds[1] >= median(above) / median(below) * (1 - 1e-9)


def test_an_unpaired_interval_covers_the_truth_and_needs_samples() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        above, below = generator.lognormal(math.log(3), 0.1, 15), generator.lognormal(0, 0.2, 15)
        low, high = unpaired(above.tolist(), below.tolist()) or (math.nan, math.nan)
        covered += low <= 3 <= high

    assert covered / 400 >= 0.95
    assert unpaired([1.0] * 3, [1.0] * 30) is None
