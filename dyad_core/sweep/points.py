"""A point from its run, or from the reason why it has none."""

from __future__ import annotations

from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.results import BenchmarkRun, Outcome
from dyad_core.errors import BenchmarkError, BenchmarkFailed, SpecError
from dyad_core.sweep.figures import empty_figures, figures_of
from dyad_core.sweep.grid import Column
from dyad_core.sweep.results import SweepPoint
from dyad_core.sweep.spec import SweepSpec

__all__ = ["point_of", "point_of_trouble", "point_without_run"]

MEMORY_FIELDS = frozenset({"tokens", "in_features", "out_features"})
"""Preflight names one of these, and only these, where a request does not fit into memory."""


def point_of(spec: SweepSpec, run: BenchmarkRun, *, seconds: float = 0.0, reused: bool = False) -> SweepPoint:
    """The point of a run."""
    return SweepPoint(
        run.spec.in_features,
        run.spec.out_features,
        run.spec.tokens,
        "measured",
        reused=reused,
        seconds=seconds,
        disturbed=is_disturbed(run),
        figures=figures_of(spec, run),
        run=run,
    )


def point_of_trouble(spec: SweepSpec, column: Column, tokens: int, error: BaseException | None) -> SweepPoint | None:
    """The point that an error stands for; None where it says nothing about this size."""
    if isinstance(error, SpecError) and {problem.field for problem in error.problems} <= MEMORY_FIELDS:
        rules = "; ".join(problem.rule for problem in error.problems)
        return point_without_run(spec, column, tokens, "out_of_memory", rules)
    if isinstance(error, BenchmarkError):
        killed = isinstance(error, BenchmarkFailed) and error.was_killed
        outcome: Outcome = "out_of_memory" if killed else "failed"
        return point_without_run(spec, column, tokens, outcome, str(error).partition("\n")[0])
    return None


def point_without_run(
    spec: SweepSpec, column: Column, tokens: int, outcome: Outcome, detail: str, *, seconds: float = 0.0
) -> SweepPoint:
    """A point whose run could not be made."""
    figures = empty_figures(spec, column, outcome, detail)
    return SweepPoint(
        column.in_features, column.out_features, tokens, outcome, detail, seconds=seconds, figures=figures
    )
