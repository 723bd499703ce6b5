"""An order of a feed-forward's hidden units that lets DYAD patterns keep more of its two weights.

Hidden units have no order of their own: permuting the rows of the first weight (and its bias) and the columns of the second
together leaves the function unchanged for any activation that acts unit by unit. What a unit keeps depends only on
the kind of its place (which blocks of both layers it falls into), so the best order is an assignment of units to kinds
of places (:mod:`.assignment`). It lessens the loss of a projection; it does not remove it.

Run ``python -c "import torch; from dyad_core.weights import reorder_hidden as r;
print(r(torch.randn(96, 24), torch.randn(24, 96)).reading)"``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry, IntArray, Variant
from dyad_core.weights.assignment import FloatArray, assign
from dyad_core.weights.loading import LoadedMatrix
from dyad_core.weights.matrix import as_scaled, row_chunks
from dyad_core.weights.source import refuse

__all__ = ["CapturedPair", "Reordering", "permute_hidden", "reorder_hidden"]

TOLERANCE = 1e-4
"""How near the best order is looked for, in shares of the energy."""

MAX_GAINS = 2**26
"""Hidden units × kinds of places: 512 MiB of gains."""

Matrix = Tensor | npt.NDArray[Any] | LoadedMatrix


@dataclass(frozen=True)
class CapturedPair:
    """Shares of the energy that the two patterns keep.

    Attributes:
        first: of the first weight.
        second: of the second weight.
        both: their mean, which the order is chosen for.
    """

    first: float
    second: float
    both: float


@dataclass(frozen=True, eq=False)
class Reordering:
    """An order of hidden units and what it changes.

    Attributes:
        permutation: place p gets the unit ``permutation[p]``; shape (hidden_features,).
        before: what the patterns keep in the given order.
        after: what they keep in the new one; ``after.both`` is never below ``before.both``.
        bound: no order of the hidden units has a larger ``both``.
        first: geometry of the first layer.
        second: geometry of the second layer.
    """

    permutation: IntArray
    before: CapturedPair
    after: CapturedPair
    bound: float
    first: DyadGeometry
    second: DyadGeometry

    @property
    def moved(self) -> int:
        """Hidden units that change their place."""
        return int((self.permutation != np.arange(len(self.permutation))).sum())

    @property
    def reading(self) -> str:
        """One sentence: from what to what, and what no order can exceed."""
        if not self.moved:
            return (
                f"No better order was found: the given one keeps {self.before.both:.1%} of the energy "
                f"(mean of both weights), and none keeps more than {self.bound:.1%}."
            )
        return (
            f"Reordering the hidden units raises the kept energy from {self.before.both:.1%} to {self.after.both:.1%} "
            f"(mean of both weights; no order keeps more than {self.bound:.1%}); the feed-forward itself computes the same, "
            "its projection still does not."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "first": asdict(self.first),
            "second": asdict(self.second),
            "before": asdict(self.before),
            "after": asdict(self.after),
            "bound": self.bound,
            "moved": self.moved,
            "permutation": self.permutation.tolist(),
            "reading": self.reading,
        }


def reorder_hidden(
    first_weight: Matrix,
    second_weight: Matrix,
    *,
    n_blocks: int = 4,
    variant: Variant | tuple[Variant, Variant] = "it",
    grain: int = 1,
) -> Reordering:
    """Find an order of the hidden units of y = W₂ activation(W₁ x) for which both patterns keep more.

    The result is within 1e-4 of the best share where ``bound`` says so, and never below the given order.

    Args:
        first_weight: W₁, (hidden_features, in_features).
        second_weight: W₂, (out_features, hidden_features).
        n_blocks: of both patterns.
        variant: of both patterns, or a pair.
        grain: of both patterns.

    Raises:
        SpecError: matrices that are wrong or do not chain, a structure that does not fit, or too many blocks for the width.
    """
    weights = as_scaled(first_weight, "first_weight"), as_scaled(second_weight, "second_weight")
    (hidden, in_features), (out_features, columns) = (weight.values.shape for weight in weights)
    if hidden != columns:
        rule = f"must have as many columns as first_weight has rows, {hidden}"
        refuse("second_weight", rule, f"shape {[out_features, columns]}", "is it stored transposed?")
    variants = (variant, variant) if isinstance(variant, str) else variant
    first = _geometry("first_weight", in_features, hidden, n_blocks, variants[0], grain)
    second = _geometry("second_weight", hidden, out_features, n_blocks, variants[1], grain)
    # Seen from the hidden side both weights have units as rows; the transpose of a pattern is a pattern.
    sides = ((weights[0].values, first), (weights[1].values.T, second.transposed))
    places = np.concatenate([_places(geometry) for _, geometry in sides], axis=1)
    kinds, kind_of, capacity = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    if hidden * len(kinds) > MAX_GAINS:
        rule = f"must make at most {MAX_GAINS // hidden} kinds of places for {hidden} hidden units"
        refuse("n_blocks", rule, f"{n_blocks}, {len(kinds)} kinds", "take fewer blocks")
    gains = [
        _gains(values, geometry, kinds[:, 2 * k : 2 * k + 2]) / weight.energy
        for k, ((values, geometry), weight) in enumerate(zip(sides, weights, strict=True))
    ]
    found = assign((gains[0] + gains[1]) / 2, capacity, TOLERANCE)
    kind_of = kind_of.reshape(-1)
    before, after = _captured(gains, kind_of), _captured(gains, found.kinds)
    permutation = _order(kind_of, found.kinds)
    if after.both <= before.both:
        permutation, after = np.arange(hidden), before
    return Reordering(permutation, before, after, max(after.both, min(found.bound, 1.0)), first, second)


def permute_hidden(
    first_weight: Tensor, second_weight: Tensor, permutation: IntArray, first_bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Put the hidden units of a feed-forward into a new order: copies of (first_weight, second_weight, first_bias).

    Args:
        first_weight: (hidden_features, in_features).
        second_weight: (out_features, hidden_features).
        permutation: from :func:`reorder_hidden`.
        first_bias: (hidden_features,), or None. The second bias is not touched by an order of hidden units.
    """
    index = torch.from_numpy(permutation).to(first_weight.device)
    bias = None if first_bias is None else first_bias[index]
    return first_weight[index], second_weight[:, index.to(second_weight.device)], bias


def _geometry(field: str, in_features: int, out_features: int, n: int, variant: Variant, grain: int) -> DyadGeometry:
    try:
        return DyadGeometry(in_features, out_features, n, variant, grain)
    except SpecError as error:
        raise SpecError([problem.under(field) for problem in error.problems]) from error


def _places(geometry: DyadGeometry) -> IntArray:
    """BLOCKDIAG block and BLOCKTRANS group of every output (-1 for ``bd``, which has none), shape (out_features, 2)."""
    return _blocks_and_groups(np.arange(geometry.out_features), geometry, output=True)


def _blocks_and_groups(index: IntArray, geometry: DyadGeometry, *, output: bool) -> IntArray:
    side = geometry.output_side if output else geometry.input_side
    group = np.full_like(index, -1) if geometry.variant == "bd" else side.group(index)
    return np.stack([index // side.block, group], axis=1)


def _gains(values: Tensor, geometry: DyadGeometry, kinds: IntArray) -> FloatArray:
    """Energy that each row keeps in each kind of place; values (units, features), kinds (kinds, 2), result (units, kinds)."""
    features = _blocks_and_groups(np.arange(geometry.in_features), geometry, output=False)
    cells, cell_of = np.unique(features, axis=0, return_inverse=True)
    order = np.argsort(cell_of.reshape(-1), kind="stable")
    starts = np.searchsorted(cell_of.reshape(-1)[order], np.arange(len(cells)))
    by_cell = [
        np.add.reduceat(np.square(chunk.numpy()[:, order].astype(np.float64)), starts, axis=1)
        for chunk in row_chunks(values)
    ]
    in_block = cells[:, None, 0] == kinds[None, :, 0]
    in_group = (cells[:, None, 1] == kinds[None, :, 1]) & (kinds[None, :, 1] >= 0)
    gains: FloatArray = np.concatenate(by_cell) @ (in_block | in_group).astype(np.float64)
    return gains


def _captured(gains: list[FloatArray], kinds: IntArray) -> CapturedPair:
    first, second = (min(1.0, float(gain[np.arange(len(kinds)), kinds].sum())) for gain in gains)
    return CapturedPair(first, second, (first + second) / 2)


def _order(place_kinds: IntArray, unit_kinds: IntArray) -> IntArray:
    """The permutation that gives every unit a place of its kind; one that stands on such a place stays."""
    permutation = np.arange(len(place_kinds))
    wrong = np.flatnonzero(place_kinds != unit_kinds)
    # Places of a kind and units of a kind are equally many, so sorting both by kind pairs them.
    places = wrong[np.argsort(place_kinds[wrong], kind="stable")]
    permutation[places] = wrong[np.argsort(unit_kinds[wrong], kind="stable")]
    return permutation
