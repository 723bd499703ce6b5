"""The rank of a composed map, by numbers: weights are drawn, multiplied and their singular values counted.

This is the one answer of this folder that is not exact and whose cost grows with the width, hence its limits. The rank of a
long product cannot be read from its own singular values, which spread beyond float64. So an orthonormal basis
of what the first layers can produce is carried on: the rank after the next layer is that of its weight on
this basis, and each decision is made on one well-scaled matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.structure.classes import FloatArray
from dyad_core.structure.counting import input_groupings, output_groupings
from dyad_core.structure.sizes import Chain, check_chain, geometry_dict

__all__ = ["CompositeRank", "rank", "realised_weight"]

MAX_RANK_FEATURES = 1024
"""Features on a side: singular values of one 1024 × 1024 matrix take about half a second on a core."""

MAX_RANK_WORK = 4 * MAX_RANK_FEATURES**3
"""Sum of out_features · in_features · smallest width so far, over the layers: four square layers of 1024, about two seconds."""


@dataclass(frozen=True)
class CompositeRank:
    """The numerical rank of a chain by depth, for one draw of the weights.

    Attributes:
        layers: the chain.
        seed: of the draw.
        ranks: after 1, 2, … layers.
        bounds: the smallest width up to there, above which no rank can be.
        method: how the rank was decided, in words.
    """

    layers: Chain
    seed: int
    ranks: tuple[int, ...]
    bounds: tuple[int, ...]
    method: str = (
        "numerical, for one draw of paper-initialised weights, U(±1/√in_features) in float64: singular values above "
        "the largest × the larger side × 2.2e-16, layer by layer on an orthonormal basis of the range before it"
    )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "layers": [geometry_dict(layer) for layer in self.layers],
            "seed": self.seed,
            "depths": [
                {"depth": depth, "rank": found, "bound": bound, "full": found == bound}
                for depth, (found, bound) in enumerate(zip(self.ranks, self.bounds, strict=True), start=1)
            ],
            "rank": self.ranks[-1],
            "method": self.method,
        }


def rank(layers: Sequence[DyadGeometry], seed: int = 0) -> CompositeRank:
    """Draw weights for a chain and find the rank of what it computes (without biases and activations).

    Args:
        layers: 1 to 48 layers that fit each other, at most 1024 features on a side, and together at most as
            much work as sixteen square layers of 1024.
        seed: of the draw, not negative.

    Raises:
        SpecError: as :func:`.paths.reachability`, and above these limits.
    """
    chain = check_chain(layers)
    bounds = _bounds(chain)
    if problems := [*_limits(chain, bounds), *_seed_problems(seed)]:
        raise SpecError(problems)
    random = np.random.default_rng(seed)
    basis: FloatArray | None = None
    ranks = []
    for layer in chain:
        weight = realised_weight(layer, random)
        produced = weight if basis is None else weight @ basis
        directions, values, _ = np.linalg.svd(produced, full_matrices=False)
        tolerance = values[0] * max(produced.shape) * np.finfo(np.float64).eps
        ranks.append(int(np.count_nonzero(values > tolerance)))
        basis = directions[:, : ranks[-1]]
    return CompositeRank(chain, int(seed), tuple(ranks), bounds)


def realised_weight(layer: DyadGeometry, random: np.random.Generator) -> FloatArray:
    """A drawn dense weight of ``layer``, shape (out_features, in_features); both components U(±1/√in_features)."""
    bound = 1 / math.sqrt(layer.in_features)
    dense = np.zeros((layer.out_features, layer.in_features))
    for outputs, inputs in zip(output_groupings(layer), input_groupings(layer), strict=True):
        drawn = random.uniform(-bound, bound, layer.weight_shape)
        for rows, columns, values in zip(outputs.members(), inputs.members(), drawn, strict=True):
            dense[np.ix_(rows, columns)] += values
    return dense


def _bounds(chain: Chain) -> tuple[int, ...]:
    """The smallest width up to each depth."""
    return tuple(accumulate((layer.out_features for layer in chain), min, initial=chain[0].in_features))[1:]


def _limits(chain: Chain, bounds: tuple[int, ...]) -> list[Problem]:
    rule = f"must be at most {MAX_RANK_FEATURES} for a rank, which is found from whole matrices"
    problems = [
        Problem(f"layers.{index}.{name}", rule, size)
        for index, layer in enumerate(chain)
        for name, size in (("in_features", layer.in_features), ("out_features", layer.out_features))
        if size > MAX_RANK_FEATURES
    ]
    work = sum(layer.dense_parameters * bound for layer, bound in zip(chain, bounds, strict=True))
    if not problems and work > MAX_RANK_WORK:
        rule = (
            f"must together need at most {MAX_RANK_WORK:,} multiply-adds for a rank (out_features · in_features · "
            "smallest width so far, summed)"
        )
        problems.append(Problem("layers", rule, work, "take fewer or narrower layers of the same n_blocks"))
    return problems


def _seed_problems(seed: Any) -> list[Problem]:
    if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0:
        return []
    return [Problem("seed", "must be an integer that is not negative", seed)]
