"""The same chain made of other structures of equal cost: what each reaches, by depth, and what rank it can have.

Each layer is replaced by one of (nearly) as many parameters:

* ``block_diagonal``: BLOCKDIAG alone, of n/2 blocks for the n of a DYAD layer;
* ``low_rank``: in → r → out, r the largest integer that costs no more;
* ``monarch``: two block-diagonal matrices with a permutation between them (Dao et al. 2022, arXiv 2204.00595):
  in → middle → out, both of b blocks, each block of the first feeding q middle features that are dealt round
  the blocks of the second. Its cost, q · (in + out), does not depend on b; b is the smallest common divisor of both sizes
  for which the middle is as wide as the narrower side (the widest middle where none is);
* ``dense``: for scale, n/2 times as many parameters.

Parameters and reach are exact for the sizes named in ``choices``; where a size had to be rounded the parameters
differ from the budget, and a note says how far. Rank bounds are the smallest width that everything passes through.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dyad_core.geometry import DyadGeometry, Side, divisors
from dyad_core.structure.counting import joint_groups, neighbourhood
from dyad_core.structure.paths import reached_by_depth
from dyad_core.structure.reach import BoolArray, extend
from dyad_core.structure.sizes import MAX_HUB_BLOCKS, Chain, check_chain, geometry_dict

__all__ = ["Alternative", "Comparison", "compare"]


@dataclass(frozen=True)
class Alternative:
    """One structure for the whole chain.

    Attributes:
        name: ``dyad``, ``block_diagonal``, ``low_rank``, ``monarch`` or ``dense``.
        choices: what was taken for each layer, in words.
        parameters: weights of all layers, without biases.
        flops_per_token: of one forward pass: every weight is one multiply-add, counted as two.
        reached_pairs: by depth.
        total_pairs: by depth.
        rank_bound: no composed map can have a larger rank.
        notes: where sizes had to be rounded.
    """

    name: str
    choices: tuple[str, ...]
    parameters: int
    reached_pairs: tuple[int, ...]
    total_pairs: tuple[int, ...]
    rank_bound: int
    notes: tuple[str, ...]

    @property
    def flops_per_token(self) -> int:
        """Floating-point operations of one forward pass of one token."""
        return 2 * self.parameters

    @property
    def first_full_depth(self) -> int | None:
        """The smallest depth that reaches every pair."""
        pairs = zip(self.reached_pairs, self.total_pairs, strict=True)
        return next((depth for depth, (reached, total) in enumerate(pairs, start=1) if reached == total), None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        pairs = zip(self.reached_pairs, self.total_pairs, strict=True)
        return {
            "name": self.name,
            "choices": list(self.choices),
            "parameters": self.parameters,
            "flops_per_token": self.flops_per_token,
            "reached_share": [reached / total for reached, total in pairs],
            "first_full_depth": self.first_full_depth,
            "rank_bound": self.rank_bound,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Comparison:
    """A chain beside other structures; the chain itself comes first."""

    layers: Chain
    alternatives: tuple[Alternative, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "layers": [geometry_dict(layer) for layer in self.layers],
            "alternatives": [alternative.to_dict() for alternative in self.alternatives],
        }


@dataclass(frozen=True)
class _Layer:
    """What replaces one layer: words, cost, and the narrowest width inside it."""

    words: str
    parameters: int
    width: int


def compare(layers: Sequence[DyadGeometry]) -> Comparison:
    """Set a chain beside block-diagonal, low-rank, Monarch and dense layers.

    Args:
        layers: 1 to 48 layers that fit each other, at most 2**20 features and 256 blocks.

    Raises:
        SpecError: as :func:`.paths.reachability`.
    """
    chain = check_chain(layers)
    blocks = tuple(_block_diagonal(layer) for layer in chain)
    monarchs = [_monarch(layer) for layer in chain]
    everything = _totals(chain)
    own = [_Layer(f"{layer.variant}, {layer.n_blocks} blocks", layer.parameters, _narrow(layer)) for layer in chain]
    alone = [_Layer(f"{layer.n_blocks} blocks", layer.parameters, _narrow(layer)) for layer in blocks]
    dense = [_Layer("dense", layer.dense_parameters, _narrow(layer)) for layer in chain]
    return Comparison(
        chain,
        (
            _alternative("dyad", chain, own, reached_by_depth(chain)),
            _alternative("block_diagonal", chain, alone, reached_by_depth(blocks)),
            _alternative("low_rank", chain, [_low_rank(layer) for layer in chain], everything),
            _alternative("monarch", chain, [one.layer for one in monarchs], _monarch_reach(chain, monarchs)),
            _alternative("dense", chain, dense, everything),
        ),
    )


def _alternative(name: str, chain: Chain, layers: list[_Layer], reached: Sequence[int]) -> Alternative:
    unequal: dict[tuple[_Layer, int], list[int]] = {}
    for index, (layer, instead) in enumerate(zip(chain, layers, strict=True), start=1):
        if instead.parameters != layer.parameters and name != "dense":  # whose cost is meant to differ
            unequal.setdefault((instead, layer.parameters), []).append(index)
    notes = [
        f"Layer {indices[0]}{f' and {len(indices) - 1} more' if len(indices) > 1 else ''}: no {name.replace('_', '-')} layer "
        f"has the {wanted:,} parameters of this one; taken: {instead.words}, {instead.parameters / wanted:.4g} times as many"
        for (instead, wanted), indices in unequal.items()
    ]
    return Alternative(
        name,
        tuple(layer.words for layer in layers),
        sum(layer.parameters for layer in layers),
        tuple(reached),
        tuple(_totals(chain)),
        min(layer.width for layer in layers),
        tuple(notes),
    )


def _totals(chain: Chain) -> list[int]:
    return [chain[0].in_features * layer.out_features for layer in chain]


def _narrow(layer: DyadGeometry) -> int:
    return min(layer.in_features, layer.out_features)


def _common(layer: DyadGeometry) -> list[int]:
    return divisors(math.gcd(layer.in_features, layer.out_features), MAX_HUB_BLOCKS)


def _block_diagonal(layer: DyadGeometry) -> DyadGeometry:
    """BLOCKDIAG alone with as many parameters, or the nearest number of blocks by ratio."""
    wanted = layer.n_blocks / layer.components
    n = min(_common(layer), key=lambda blocks: (abs(math.log(blocks / wanted)), blocks))
    return DyadGeometry(layer.in_features, layer.out_features, n, "bd")


def _low_rank(layer: DyadGeometry) -> _Layer:
    sizes = layer.in_features + layer.out_features
    width = max(1, layer.parameters // sizes)
    return _Layer(f"rank {width}", width * sizes, min(width, _narrow(layer)))


@dataclass(frozen=True)
class _Monarch:
    """Two block-diagonal matrices of ``blocks`` blocks with ``blocks`` × ``block`` features between them."""

    blocks: int
    layer: _Layer
    passes: BoolArray
    """Whether an input block reaches an output block."""


def _monarch(layer: DyadGeometry) -> _Monarch:
    sizes = layer.in_features + layer.out_features
    block = max(1, layer.parameters // sizes)
    common = _common(layer)
    blocks = next((number for number in common if number * block >= _narrow(layer)), common[-1])
    middle = blocks * block
    dealt = Side(middle, blocks, 1, interleaved=True)
    passes = joint_groups(neighbourhood(middle, blocks), dealt) > 0
    words = f"{blocks} blocks, middle {middle}"
    return _Monarch(blocks, _Layer(words, block * sizes, min(middle, _narrow(layer))), passes)


def _monarch_reach(chain: Chain, monarchs: Sequence[_Monarch]) -> list[int]:
    """Pairs reached by depth; blocks are contiguous on both sides, so they stand for their features."""
    first = chain[0].in_features // monarchs[0].blocks
    reach = monarchs[0].passes
    pairs = [int(reach.sum()) * first * (chain[0].out_features // monarchs[0].blocks)]
    for layer, (before, after) in zip(chain[1:], pairwise(monarchs), strict=True):
        width = layer.in_features
        meets = joint_groups(neighbourhood(width, before.blocks), neighbourhood(width, after.blocks)) > 0
        reach = extend(extend(reach, meets), after.passes)
        pairs.append(int(reach.sum()) * first * (layer.out_features // after.blocks))
    return pairs
