"""Which structures a matrix is held against: every combination asked for that fits its sizes, the rest with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, DyadGeometry, Variant

__all__ = ["MAX_CANDIDATES", "Skipped", "candidate_geometries"]

MAX_CANDIDATES = 64
"""Structures of one projection."""


@dataclass(frozen=True)
class Skipped:
    """A structure that was asked for and does not fit the matrix."""

    variant: Variant
    n_blocks: int
    grain: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


def candidate_geometries(
    in_features: int, out_features: int, variants: Sequence[Variant], n_blocks: Sequence[int], grains: Sequence[int]
) -> tuple[list[DyadGeometry], list[Skipped]]:
    """Every structure asked for: those that fit the sizes, and those that do not with the reason.

    Raises:
        SpecError: a value that fits no matrix at all, more than 64 structures, or none that fits.
    """
    asked = {"variants": variants, "n_blocks": n_blocks, "grains": grains}
    problems = [
        Problem(field, "must hold at least one value and none twice", list(values))
        for field, values in asked.items()
        if not values or len(set(values)) != len(values)
    ]
    problems += [
        Problem("variants", f"must be among {', '.join(VARIANTS)}", variant)
        for variant in variants
        if variant not in VARIANTS
    ]
    problems += [
        Problem(field, "must be positive integers", value)
        for field in ("n_blocks", "grains")
        for value in asked[field]
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
    ]
    # bd has no interleave, so a grain makes no difference to it: one of them is enough.
    combinations = [
        (variant, n, grain)
        for n in n_blocks
        for variant in variants
        for grain in (grains[:1] if variant == "bd" else grains)
    ]
    if len(combinations) > MAX_CANDIDATES:
        problems.append(Problem("n_blocks", f"must make at most {MAX_CANDIDATES} structures", len(combinations)))
    if problems:
        raise SpecError(problems)
    fitting, skipped, refused = [], [], []
    for variant, n, grain in combinations:
        try:
            fitting.append(DyadGeometry(in_features, out_features, n, variant, grain))
        except SpecError as error:
            refused += [problem for problem in error.problems if problem not in refused]
            skipped.append(Skipped(variant, n, grain, str(error.problems[0])))
    if not fitting:
        raise SpecError(refused)
    return fitting, skipped
