"""Which candidates of a run are one thing to swap in: one structure, one implementation asked for, all passes.

``auto`` may have taken another implementation in each pass; it is still one thing, for a layer built with ``auto``
does the same. Peers and the control are no rivals: the question is DYAD or dense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.spec import Pass
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, DyadGeometry, Variant
from dyad_core.ops.registry import AUTO

__all__ = ["Rival", "find", "rivals"]

_Structure = tuple[Variant, int, int]


@dataclass(frozen=True)
class Rival:
    """One structure in one implementation, with its candidate of each pass that the run holds."""

    variant: Variant
    n_blocks: int
    grain: int
    implementation: str
    candidates: dict[Pass, Candidate]

    def geometry(self, run: BenchmarkRun) -> DyadGeometry:
        """The structure of the layer (``feed_forward``: of its first layer)."""
        return DyadGeometry(run.spec.in_features, run.spec.out_features, self.n_blocks, self.variant, self.grain)

    @property
    def first(self) -> Candidate:
        """Any of its candidates, for what is the same in all."""
        return next(iter(self.candidates.values()))


def rivals(run: BenchmarkRun) -> list[Rival]:
    """Everything that the run measured in place of the dense layer, in the order of the run."""
    structures: dict[_Structure, list[Candidate]] = {}
    for each in run.candidates:
        if each.variant in VARIANTS and each.n_blocks is not None:
            key = each.variant, each.n_blocks, each.grain or 1
            structures.setdefault(key, []).append(each)
    found = []
    for structure, candidates in structures.items():
        groups: dict[str, list[Candidate]] = {}
        if chosen := [each for each in candidates if each.chosen_by_auto]:
            groups[AUTO] = chosen
        for each in candidates:
            groups.setdefault(each.implementation, []).append(each)
        found += [Rival(*structure, name, _by_pass(members)) for name, members in groups.items()]
    return found


def find(run: BenchmarkRun, **wanted: Any) -> list[Rival]:
    """The rivals with these ``variant``, ``n_blocks``, ``grain`` and ``implementation``; None takes any.

    Without an implementation, what ``auto`` took stands for the implementation it took.

    Raises:
        SpecError: the run measured no such thing; says what it measured.
    """
    every = rivals(run)
    if not every:
        raise SpecError([Problem("run", "holds no DYAD candidate", len(run.candidates))])
    problems = []
    for name, value in wanted.items():
        there = list(dict.fromkeys(getattr(each, name) for each in every))
        if value is not None and value not in there:
            problems.append(_not_measured(name, value, there))
    left = [each for each in every if all(value in (None, getattr(each, name)) for name, value in wanted.items())]
    if problems or not left:
        raise SpecError(problems or [_never_together(wanted)])
    return left if wanted.get("implementation") is not None else _without_repeats(left)


def _by_pass(candidates: Sequence[Candidate]) -> dict[Pass, Candidate]:
    found: dict[Pass, Candidate] = {}
    for each in candidates:
        found.setdefault(each.pass_, each)
    return found


def _without_repeats(found: list[Rival]) -> list[Rival]:
    by_auto = {id(each) for rival in found if rival.implementation == AUTO for each in rival.candidates.values()}
    return [
        rival
        for rival in found
        if rival.implementation == AUTO or not all(id(each) in by_auto for each in rival.candidates.values())
    ]


def _not_measured(name: str, value: Any, there: list[Any]) -> Problem:
    measured = f"it measured {', '.join(str(each) for each in there)}"
    return Problem(name, "must be one that this run measured", value, measured)


def _never_together(wanted: dict[str, Any]) -> Problem:
    asked = {name: value for name, value in wanted.items() if value is not None}
    name = next(iter(asked), "variant")
    listed = ", ".join(f"{key}={value}" for key, value in asked.items())
    return Problem(name, f"must be one that this run measured together with the rest: {listed}", asked.get(name))
