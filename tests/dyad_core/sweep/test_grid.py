"""The lattice and the lines to begin with."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from dyad_core.sweep.cost import START_S, Pace, duration, grid_seconds, round_seconds
from dyad_core.sweep.grid import coarse_lines, make_grid, middle

axes = st.lists(st.integers(1, 2**20), min_size=1, max_size=40, unique=True).map(
    lambda values: tuple(math.log2(value) for value in sorted(values))
)


@given(axis=axes)
def test_coarse_lines_hold_both_ends_and_leave_no_wide_gap_that_could_be_closed(axis: tuple[float, ...]) -> None:
    lines = coarse_lines(axis)
    assert lines == tuple(sorted(set(lines)))
    assert {0, len(axis) - 1} <= set(lines)
    for low, high in zip(lines, lines[1:], strict=False):
        assert axis[high] - axis[low] <= 3.0 or high - low == 1


def test_the_middle_is_half_way_in_doublings() -> None:
    axis = tuple(math.log2(value) for value in (1, 2, 100, 900, 1000, 1024))
    assert middle(axis, 0, 5) == 2
    assert middle(axis, 3, 4) is None


def test_columns_are_sorted_and_grain_counts() -> None:
    grid = make_grid([(768, 3072), (64, 96)], (256, 16), (4, 3), ("it", "dt"), 32)
    assert [(column.in_features, column.n_blocks) for column in grid.columns] == [(768, (4, 3))]
    assert grid.tokens == (16, 256)
    assert {skipped.in_features for skipped in grid.skipped} == {64}


def test_estimates_grow_with_the_work_and_are_corrected_by_what_was_seen() -> None:
    grid = make_grid([(256, 1024), (2048, 8192)], (64, 4096), (4, 8), ("it",), 1)
    small, large = grid.columns

    def seconds(column: object, tokens: int) -> float:
        return round_seconds(column, tokens, ("forward", "train_step"), 1, device="cpu", layers=1)  # type: ignore[arg-type]

    assert 0 < seconds(small, 64) < seconds(large, 64) < seconds(large, 4096)
    assert grid_seconds(grid, ("forward",), 1, device="cpu", layers=1) > 4 * START_S
    pace = Pace()
    before = pace.predict(0.1, 5.0)
    for _ in range(3):
        pace.took(0.1, 5.0, 3 * before)
    assert math.isclose(pace.predict(0.1, 5.0), 3 * before)


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (4, 600, 7200, 10 * 86400)] == ["4 s", "10 min", "2.0 h", "10 days"]
