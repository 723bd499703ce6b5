from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.bench.precision_split import part_of

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
