"""What one point of a sweep says about each map: a map is one n, variant, implementation and pass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dyad_core.bench.results import BenchmarkRun, Candidate, Outcome
from dyad_core.bench.spec import Pass
from dyad_core.ops.registry import AUTO
from dyad_core.sweep.grid import Column

if TYPE_CHECKING:
    from dyad_core.sweep.spec import SweepSpec

__all__ = ["SIDES", "Figure", "Key", "curves", "empty_figures", "figures_of"]

Key = tuple[int, str, str, str]
"""Which map: n_blocks, variant, implementation as it was asked for, pass."""

SIDES: dict[Outcome, int] = {"faster": 1, "not_distinguishable": 0, "slower": -1}
"""On which side of 1.0x an outcome is; every other outcome is on none."""


@dataclass(frozen=True)
class Figure:
    """One candidate at one size.

    Attributes:
        n_blocks: of the candidate.
        variant: of the candidate.
        implementation: as it was asked for; ``"auto"`` stays ``"auto"``.
        pass_: JSON name ``pass``.
        outcome: as in a benchmark.
        speedup: dense/candidate, with its 95 % interval; None without one.
        speedup_low: lower end.
        speedup_high: upper end.
        chosen: the implementation that was measured.
        detail: why there is no speed-up, in a sentence.
    """

    # "pass" is a Python keyword: the attribute is pass_, the JSON field is "pass".
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }

    n_blocks: int
    variant: str
    implementation: str
    pass_: Pass
    outcome: Outcome
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    chosen: str = ""
    detail: str = ""

    @property
    def key(self) -> Key:
        """The map it belongs to."""
        return self.n_blocks, self.variant, self.implementation, self.pass_

    @property
    def side(self) -> int | None:
        """1 faster than dense, -1 slower, 0 not distinguishable, None without a comparison."""
        return SIDES.get(self.outcome) if self.speedup is not None else None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        values = dataclasses.asdict(self)
        return {name.rstrip("_"): value for name, value in values.items()}


def curves(spec: SweepSpec) -> list[tuple[int, str, str, Pass]]:
    """Every map of a sweep: by pass, then n, then variant, then implementation."""
    return [
        (n, variant, implementation, pass_)
        for pass_ in spec.passes
        for n in spec.n_blocks
        for variant in spec.variants
        for implementation in spec.implementations
    ]


def figures_of(spec: SweepSpec, run: BenchmarkRun) -> tuple[Figure, ...]:
    """The figures of a run, one for each map that its n belongs to."""
    found = []
    for n, variant, implementation, pass_ in curves(spec):
        if n not in run.spec.n_blocks:
            continue
        candidate = _candidate(run, n, variant, implementation, pass_)
        if candidate is None:
            detail = "the run holds no such candidate"
            found.append(Figure(n, variant, implementation, pass_, "failed", detail=detail))
            continue
        detail = candidate.detail or _without_twin(run, candidate)
        figure = Figure(
            n,
            variant,
            implementation,
            pass_,
            candidate.outcome,
            candidate.speedup,
            candidate.speedup_low,
            candidate.speedup_high,
            candidate.implementation,
            detail,
        )
        found.append(figure)
    return tuple(found)


def empty_figures(spec: SweepSpec, column: Column, outcome: Outcome, detail: str) -> tuple[Figure, ...]:
    """The figures of a point whose run could not be made at all."""
    return tuple(Figure(*key, outcome, detail=detail) for key in curves(spec) if key[0] in column.n_blocks)


def _candidate(run: BenchmarkRun, n: int, variant: str, implementation: str, pass_: Pass) -> Candidate | None:
    for candidate in run.candidates:
        if (candidate.variant, candidate.n_blocks, candidate.pass_) != (variant, n, pass_):
            continue
        if candidate.chosen_by_auto if implementation == AUTO else candidate.implementation == implementation:
            return candidate
    return None


def _without_twin(run: BenchmarkRun, candidate: Candidate) -> str:
    if candidate.outcome != "measured":
        return ""
    dense = run.dense(candidate.pass_)
    return f"the dense twin has no speed ({dense.outcome.replace('_', ' ')}), so there is nothing to compare with"
