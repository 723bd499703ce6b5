"""What this machine cannot do is said before anything starts, in the words of a sweep."""

from __future__ import annotations

import pytest

from dyad_core.errors import SpecError
from dyad_core.sweep import SweepSpec
from dyad_core.sweep.preflight import preflight_sweep


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"device": "cuda:98"}, "device"),
        ({"implementations": ("none",)}, "implementations"),
        ({"widths": (2**40,)}, "widths"),
        ({"widths": (), "sizes": ((2**40, 2**40),)}, "sizes"),
        ({"tokens": (2**40,)}, "tokens"),
    ],
)
def test_a_problem_names_the_field_of_the_sweep(changes: dict[str, object], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        preflight_sweep(SweepSpec(**{"widths": (64, 128), "tokens": (8,), **changes}))  # type: ignore[arg-type]
    assert {problem.field for problem in caught.value.problems} == {field}


def test_a_larger_size_that_does_not_fit_is_no_problem_of_the_sweep() -> None:
    (warning,) = preflight_sweep(SweepSpec(widths=(64, 2**40), tokens=(8,), max_seconds=1e4))
    assert "first 2 points alone" in warning


def test_a_budget_that_is_too_small_for_the_first_points_is_said() -> None:
    (warning,) = preflight_sweep(SweepSpec(widths=(64, 1024, 4096), tokens=(8, 4096), max_seconds=5))
    assert "first 6 points alone take about" in warning
    assert "max_seconds is 5" in warning


def test_what_saves_nothing_is_said() -> None:
    (warning,) = preflight_sweep(SweepSpec(widths=(64,), tokens=(8,), n_blocks=(2,)))
    assert "saves nothing" in warning
