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
from dyad_core.structure.parts import connected_parts
from dyad_core.structure.reach import extend, link, reached_pairs, start
from dyad_core.structure.sizes import MAX_HUB_BLOCKS, MAX_LAYERS, MAX_PATH_BLOCKS, Chain, check_chain, geometry_dict
from dyad_core.structure.spread import PathCounts, path_counts

__all__ = ["Depth", "Reachability", "reachability", "reached_by_depth", "stack"]


@dataclass(frozen=True)
class Depth:
    """What the first ``depth`` layers of a chain reach; pairs are (input of the first, output of the last).

    Attributes:
        connected_parts: parts of these layers that no path connects, see :mod:`.parts`.
        paths: how the numbers of paths spread over the pairs; None unless asked for.
    """

    depth: int
    in_features: int
    out_features: int
    reached_pairs: int
    connected_parts: int
    paths: PathCounts | None = None

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
            "connected_parts": self.connected_parts,
            "paths": None if self.paths is None else self.paths.to_dict(),
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


def reachability(layers: Sequence[DyadGeometry], *, paths: bool = False) -> Reachability:
    """Count, for each depth, the pairs of features that a chain joins by at least one path.

    Args:
        layers: 1 to 48 layers, of any variants, n and grains, each taking as many features as the one before
            gives; at most 2**20 features and 256 blocks.
        paths: also say how the numbers of paths spread over the pairs; at most 64 blocks, and up to a few seconds.

    Raises:
        SpecError: when there are too few or too many layers, one is too large, or two do not fit; fields are
            named ``layers.<index from 0>.<field>``.
    """
    chain = check_chain(layers, MAX_PATH_BLOCKS if paths else MAX_HUB_BLOCKS)
    reached, parts = reached_by_depth(chain), connected_parts(chain)
    spreads = list(path_counts(chain)) if paths else [None] * len(chain)
    depths = [
        Depth(depth, chain[0].in_features, layer.out_features, reached[depth - 1], parts[depth - 1], spreads[depth - 1])
        for depth, layer in enumerate(chain, start=1)
    ]
    return Reachability(chain, tuple(depths), cautions(chain, full=depths[-1].full))


def reached_by_depth(chain: Chain) -> list[int]:
    """Pairs that the first 1, 2, … layers join."""
    inputs, reach = chain[0].in_features, start(chain[0])
    reached = [chain[0].positions]
    for before, after in pairwise(chain):
        previous, pairs = reach, inputs * after.out_features
        if reached[-1] < inputs * before.out_features:  # what is full once stays full: every output reads something
            reach = extend(previous, link(before, after))
            same = output_groupings(before) == output_groupings(after) and np.array_equal(reach, previous)
            pairs = reached[-1] if same else reached_pairs(reach, chain[0], after)
        reached.append(pairs)
    return reached


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
