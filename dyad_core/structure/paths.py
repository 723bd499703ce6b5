"""What a chain of layers can mix: the share of (input, output) pairs that a path joins, by depth.

Run ``python -c "from dyad_core import DyadGeometry; from dyad_core.structure import reachability;
print(reachability([DyadGeometry(96, 384), DyadGeometry(384, 96)]).depths)"`` for a feed-forward pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, positive_integer
from dyad_core.structure.cautions import cautions
from dyad_core.structure.counting import output_groupings
from dyad_core.structure.reach import Chain, extend, link, reached_pairs, start
from dyad_core.structure.sizes import MAX_HUB_BLOCKS, MAX_LAYERS, check_size, geometry_dict

__all__ = ["Depth", "Reachability", "reachability", "stack"]


@dataclass(frozen=True)
class Depth:
    """What the first ``depth`` layers of a chain reach; pairs are (input of the first, output of the last)."""

    depth: int
    in_features: int
    out_features: int
    reached_pairs: int

    @property
    def total_pairs(self) -> int:
        """All pairs."""
        return self.in_features * self.out_features

    @property
    def reached_share(self) -> float:
        """Reached pairs over all pairs."""
        return self.reached_pairs / self.total_pairs

    @property
    def full(self) -> bool:
        """Whether every pair is reached."""
        return self.reached_pairs == self.total_pairs

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "depth": self.depth,
            "in_features": self.in_features,
            "out_features": self.out_features,
            "reached_pairs": self.reached_pairs,
            "total_pairs": self.total_pairs,
            "reached_share": self.reached_share,
            "full": self.full,
        }


@dataclass(frozen=True)
class Reachability:
    """The reach of a chain by depth, and in words what to watch for."""

    layers: tuple[DyadGeometry, ...]
    depths: tuple[Depth, ...]
    warnings: tuple[str, ...]

    @property
    def first_full_depth(self) -> int | None:
        """The smallest depth that reaches every pair; None when the chain never does."""
        return next((depth.depth for depth in self.depths if depth.full), None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "layers": [geometry_dict(layer) for layer in self.layers],
            "depths": [depth.to_dict() for depth in self.depths],
            "first_full_depth": self.first_full_depth,
            "warnings": list(self.warnings),
        }


def reachability(layers: Sequence[DyadGeometry]) -> Reachability:
    """Count, for each depth, the pairs of features that a chain joins by at least one path.

    Args:
        layers: 1 to 48 layers, of any variants, n and grains, each taking as many features as the one before
            gives; at most 2**20 features and 256 blocks.

    Raises:
        SpecError: when there are too few or too many layers, one is too large, or two do not fit; fields are
            named ``layers.<index from 0>.<field>``.
    """
    chain = _checked(layers)
    reach = start(chain[0])
    depths = [Depth(1, chain[0].in_features, chain[0].out_features, chain[0].positions)]
    for before, after in pairwise(chain):
        previous, done = reach, depths[-1]
        total = done.in_features * after.out_features
        pairs = total  # what reaches everything once stays full, for every output reads something
        if not done.full:
            reach = extend(previous, link(before, after))
            same = output_groupings(before) == output_groupings(after) and np.array_equal(reach, previous)
            pairs = done.reached_pairs if same else reached_pairs(reach, chain[0], after)
        depths.append(Depth(done.depth + 1, done.in_features, after.out_features, pairs))
    return Reachability(chain, tuple(depths), cautions(chain, full=depths[-1].full))


def stack(geometry: DyadGeometry, depth: int) -> tuple[DyadGeometry, ...]:
    """Layers that follow each other: the same one when it is square, else to and fro between its two widths.

    Raises:
        SpecError: when ``depth`` is not from 1 to 48, or the way back is no legal layer.
    """
    if (problem := positive_integer("depth", depth)) or depth > MAX_LAYERS:
        raise SpecError([problem or Problem("depth", f"must be at most {MAX_LAYERS}", depth)])
    if depth == 1 or geometry.in_features == geometry.out_features:
        return (geometry,) * depth
    sizes = geometry.out_features, geometry.in_features
    try:
        back = DyadGeometry(*sizes, geometry.n_blocks, geometry.variant, geometry.grain)
    except SpecError as error:
        rule = f"must be 1 here, for the way back {sizes[0]}→{sizes[1]} is no legal layer: {error}"
        raise SpecError([Problem("depth", rule, depth, "set depth to 1")]) from error
    return tuple(back if index % 2 else geometry for index in range(depth))


def _checked(layers: Sequence[DyadGeometry]) -> Chain:
    chain = tuple(layers)
    if not 1 <= len(chain) <= MAX_LAYERS:
        raise SpecError([Problem("layers", f"must be 1 to {MAX_LAYERS} layers", len(chain))])
    problems = [
        problem.under(f"layers.{index}") for index, layer in enumerate(chain) for problem in _layer_problems(layer)
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


def _layer_problems(layer: DyadGeometry) -> list[Problem]:
    try:
        return check_size(layer, MAX_HUB_BLOCKS)
    except SpecError as error:
        return list(error.problems)
