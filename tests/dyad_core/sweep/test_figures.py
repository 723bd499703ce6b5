"""Which candidate of a run belongs to which map."""

from __future__ import annotations

import dataclasses

from sweep_tools import Simulated, slope

from dyad_core.bench import BenchmarkSpec
from dyad_core.sweep.figures import curves, empty_figures, figures_of
from dyad_core.sweep.spec import SweepSpec

SPEC = SweepSpec(widths=(64,), n_blocks=(4, 8), implementations=("auto", "concat"), passes=("forward", "train_step"))
RUN = Simulated(slope(32)).run(
    BenchmarkSpec(64, 256, n_blocks=(4, 8), implementations=("auto", "concat"), passes=("forward", "train_step"))
)


def test_auto_stays_auto_and_says_what_it_chose() -> None:
    figures = figures_of(SPEC, RUN)
    assert [figure.key for figure in figures] == [(n, v, i, p) for n, v, i, p in curves(SPEC)]
    assert {(figure.implementation, figure.chosen) for figure in figures} == {("auto", "eager"), ("concat", "concat")}
    assert {figure.side for figure in figures} == {1}


def test_auto_and_a_name_may_be_one_candidate() -> None:
    one = tuple(
        dataclasses.replace(each, chosen_by_auto=True) for each in RUN.candidates if each.implementation == "concat"
    )
    run = dataclasses.replace(RUN, candidates=(RUN.candidates[0], *one))
    figures = [figure for figure in figures_of(SPEC, run) if figure.pass_ == "forward"]
    assert [figure.chosen for figure in figures] == ["concat"] * 4


def test_a_candidate_that_is_missing_is_a_failure_with_its_reason() -> None:
    figures = figures_of(SPEC, dataclasses.replace(RUN, candidates=RUN.candidates[:1]))
    assert {(figure.outcome, figure.detail) for figure in figures} == {("failed", "the run holds no such candidate")}


def test_a_speed_without_a_twin_is_on_no_side_and_says_so() -> None:
    candidates = tuple(
        dataclasses.replace(each, outcome="out_of_memory" if each.variant == "dense" else "measured", speedup=None, speedup_low=None, speedup_high=None)
        for each in RUN.candidates
    )  # fmt: skip
    figure = figures_of(SPEC, dataclasses.replace(RUN, candidates=candidates))[0]
    assert (figure.side, figure.outcome) == (None, "measured")
    assert figure.detail == "the dense twin has no speed (out of memory), so there is nothing to compare with"


def test_a_point_without_a_run_has_a_figure_for_each_n_that_fits() -> None:
    spec = dataclasses.replace(SPEC, n_blocks=(4, 5), implementations=("auto",))
    (column,) = spec.grid.columns
    figures = empty_figures(spec, column, "out_of_memory", "too large")
    assert [(figure.n_blocks, figure.pass_) for figure in figures] == [(4, "forward"), (4, "train_step")]
