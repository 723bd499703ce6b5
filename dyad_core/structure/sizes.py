"""How large a geometry the structure answers take, and the sentence for one that is larger.

The limits were chosen by measured cost on two CPU cores, so that no request can hold the service: see
the comment on each number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry

__all__ = [
    "MAX_CELLS",
    "MAX_FEATURES",
    "MAX_HUB_BLOCKS",
    "MAX_LAYERS",
    "MAX_PATH_BLOCKS",
    "MAX_PATTERN_BLOCKS",
    "Chain",
    "check_chain",
    "check_size",
    "feature_problem",
    "geometry_dict",
]

MAX_FEATURES = 2**20
"""Features on a side. Counts of pairs stay below 2**40, far inside the exact range of float64."""

MAX_PATTERN_BLOCKS = 1024
"""n of a picture: at 1024 it takes about 0.13 s, where 4096 would take 0.9 s and half a gigabyte."""

MAX_HUB_BLOCKS = 256
"""n of connectivity and reachability. 48 mixed layers at 256 take up to 1 s, at 128 0.12 s, at 64 0.02 s: the
cost of counting pairs grows with n⁴. The JSON of connectivity holds two n × n matrices."""

MAX_PATH_BLOCKS = 64
"""n of distributions and curves of path counts: up to n² classes of features on either side, so n⁴ counts by depth;
48 layers of 64 take 0.1 to 0.8 s, up to 2 s where no two inputs are alike."""

MAX_LAYERS = 48
"""Layers of a chain."""

MAX_CELLS = 512
"""Cells on a side of a picture: browsers draw no more than about this many squared without stalling."""


Chain = tuple[DyadGeometry, ...]


def check_size(geometry: DyadGeometry, max_blocks: int) -> list[Problem]:
    """Return one problem for each size of ``geometry`` above its limit; empty when all fit.

    Raises:
        SpecError: when ``geometry`` is not a :class:`DyadGeometry`.
    """
    if not isinstance(geometry, DyadGeometry):
        raise SpecError([Problem("geometry", "must be a DyadGeometry", geometry)])
    limits = {"in_features": MAX_FEATURES, "out_features": MAX_FEATURES, "n_blocks": max_blocks}
    return [
        Problem(name, f"must be at most {largest} for this answer, which stays quick up to there", value)
        for name, largest in limits.items()
        if (value := getattr(geometry, name)) > largest
    ]


def check_chain(layers: Sequence[DyadGeometry], max_blocks: int = MAX_HUB_BLOCKS) -> Chain:
    """Return ``layers`` as a chain whose layers fit each other.

    Raises:
        SpecError: when there are too few or too many layers, one is too large, or two do not fit; fields are
            named ``layers.<index from 0>.<field>``.
    """
    chain = tuple(layers)
    if not 1 <= len(chain) <= MAX_LAYERS:
        raise SpecError([Problem("layers", f"must be 1 to {MAX_LAYERS} layers", len(chain))])
    problems = [
        problem.under(f"layers.{index}")
        for index, layer in enumerate(chain)
        for problem in _layer_problems(layer, max_blocks)
    ]
    if not problems:
        problems = [
            Problem(
                f"layers.{index}.in_features",
                f"must equal out_features={before.out_features} of the layer before",
                after.in_features,
                f"set in_features={before.out_features}, or out_features={after.in_features} in layers.{index - 1}",
            )
            for index, (before, after) in enumerate(pairwise(chain), start=1)
            if before.out_features != after.in_features
        ]
    if problems:
        raise SpecError(problems)
    return chain


def _layer_problems(layer: DyadGeometry, max_blocks: int) -> list[Problem]:
    try:
        return check_size(layer, max_blocks)
    except SpecError as error:
        return list(error.problems)


def feature_problem(name: str, feature: Any, size: int) -> list[Problem]:
    """One problem when ``feature`` is not an index below ``size``; empty when it is."""
    if not isinstance(feature, bool) and isinstance(feature, int | np.integer) and 0 <= feature < size:
        return []
    return [Problem(name, f"must be an integer from 0 to {size - 1}", feature)]


def geometry_dict(geometry: DyadGeometry) -> dict[str, Any]:
    """The fields of a geometry and its two block sizes, JSON-ready."""
    return {**asdict(geometry), "block_in": geometry.block_in, "block_out": geometry.block_out}
