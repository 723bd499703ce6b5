"""Rules of a sweep that depend on the machine, checked at its smallest size before anything starts."""

from __future__ import annotations

from dyad_core.bench.preflight import preflight
from dyad_core.errors import Problem, SpecError
from dyad_core.sweep.cost import Pace, duration
from dyad_core.sweep.planner import LEAST_S
from dyad_core.sweep.refine import coarse_nodes
from dyad_core.sweep.spec import SweepSpec

__all__ = ["preflight_sweep"]


def preflight_sweep(spec: SweepSpec) -> list[str]:
    """Check whether this machine can measure the smallest point of ``spec``; return warnings, each a sentence.

    Raises:
        SpecError: no such device, an implementation that cannot run there, or not enough memory even for that point.
    """
    grid = spec.grid
    try:
        warnings = preflight(spec.request(grid.columns[0], grid.tokens[0]))
    except SpecError as error:
        sizes = "sizes" if spec.sizes else "widths"
        names = {"in_features": sizes, "out_features": sizes}
        raise SpecError(
            [Problem(names.get(p.field, p.field), p.rule, p.received, p.suggestion) for p in error.problems]
        ) from error
    pace = Pace()
    nodes = coarse_nodes(grid)
    seconds = sum(pace.predict(spec.round_s(grid.columns[column], grid.tokens[row]), LEAST_S) for column, row in nodes)
    if seconds > spec.max_seconds:
        warnings.append(
            f"by an estimate from sizes the first {len(nodes)} points alone take about {duration(seconds)}, and "
            f"max_seconds is {spec.max_seconds:g}: the map will be coarse, and going on later refines it"
        )
    return warnings
