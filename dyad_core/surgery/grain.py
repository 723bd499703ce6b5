"""Exact conversion of a layer between grains: the same function, with its features renamed.

A grain deals features round the BLOCKTRANS groups in runs of g. Two grains are the same structure when the features
of a block can be renamed inside the block so that each lands in the group that it was in. That is so if and only if both
grains put equally many features of every block into every group, which holds when n·g divides the block size for both.
Then weights only change places, no number changes, and for ``order`` the renamed features::

    converted(x[..., input_order]) == layer(x)[..., output_order]

Only interleaved sides are renamed: the inputs of ``it``, the outputs of ``ot``, both of ``dt``. Inside a feed-forward the
hidden features are renamed in fc1's outputs and fc2's inputs at once, so a pair ``("ot", "it")``, which interleaves
the hidden side alone, converts with both orders the identity: exactly the same function of the same features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, IntArray, Side, Variant
from dyad_core.layers import DyadFeedForward, DyadLinear

__all__ = ["ConvertedModule", "ConvertedWeights", "convert_grain", "feed_forward_to_grain", "linear_to_grain"]


@dataclass(frozen=True)
class ConvertedWeights:
    """Weights of the other grain, and which old feature stands at each place.

    Attributes:
        weight_blockdiag: (n_blocks, block_out, block_in).
        weight_blocktrans: the same shape; None for ``bd``.
        input_order: (in_features,), the old input at each new place.
        output_order: (out_features,), the old output at each new place; a bias becomes ``bias[output_order]``.
    """

    weight_blockdiag: Tensor
    weight_blocktrans: Tensor | None
    input_order: Tensor
    output_order: Tensor


@dataclass(frozen=True)
class ConvertedModule:
    """A module of the other grain: ``module(x[..., input_order]) == old(x)[..., output_order]``."""

    module: nn.Module
    input_order: Tensor
    output_order: Tensor


def convert_grain(
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    *,
    variant: Variant = "it",
    from_grain: int,
    to_grain: int,
) -> ConvertedWeights:
    """Convert the weights of one layer; see the module's docstring for what stays the same.

    Args:
        weight_blockdiag: (n_blocks, block_out, block_in).
        weight_blocktrans: the same shape; None for ``bd``.
        variant: structure of the layer; it stays.
        from_grain: grain of these weights.
        to_grain: grain of the result.

    Raises:
        SpecError: a grain does not fit the sizes, or the two grains are different structures.
    """
    old, new = _geometries(weight_blockdiag.shape, variant, from_grain, to_grain)
    input_order = _order(old.input_side, new.input_side, "in_features")
    output_order = _order(old.output_side, new.output_side, "out_features")
    return _renamed(weight_blockdiag, weight_blocktrans, old, new, input_order, output_order)


def linear_to_grain(layer: DyadLinear, grain: int) -> ConvertedModule:
    """A copy of ``layer`` with another grain; the layer itself stays as it is.

    Raises:
        SpecError: as :func:`convert_grain`.
    """
    old, new = _geometries(layer.weight_blockdiag.shape, layer.variant, layer.grain, grain)
    input_order = _order(old.input_side, new.input_side, "in_features")
    output_order = _order(old.output_side, new.output_side, "out_features")
    module = _converted(layer, new, input_order, output_order)
    return ConvertedModule(module, torch.from_numpy(input_order), torch.from_numpy(output_order))


def feed_forward_to_grain(module: DyadFeedForward, grain: int) -> ConvertedModule:
    """A copy of a feed-forward with another grain in both layers; hidden features are renamed in both at once.

    The orders concern what goes in and comes out: the identity where fc1's inputs (``ot``) or fc2's outputs
    (``it``) are not interleaved.

    Raises:
        SpecError: as :func:`convert_grain`.
    """
    first, second = module.fc1, module.fc2
    old1, new1 = _geometries(first.weight_blockdiag.shape, first.variant, first.grain, grain)
    old2, new2 = _geometries(second.weight_blockdiag.shape, second.variant, second.grain, grain)
    # Both hidden sides have the same sizes, n and grain: where both are interleaved they are renamed alike, and a
    # plain one takes any renaming inside its blocks.
    reading = old2.input_side.interleaved
    hidden_old, hidden_new = (old2.input_side, new2.input_side) if reading else (old1.output_side, new1.output_side)
    hidden_order = _order(hidden_old, hidden_new, "hidden_features")
    input_order = _order(old1.input_side, new1.input_side, "features")
    output_order = _order(old2.output_side, new2.output_side, "features")
    result = DyadFeedForward(
        module.features,
        module.hidden_features,
        bias=first.bias is not None,
        device="meta",
        dtype=first.weight_blockdiag.dtype,
        n_blocks=first.n_blocks,
        variant=(first.variant, second.variant),
        grain=grain,
        activation=module.activation,
        init=first.init,
        implementation=first.implementation,
    )
    result.fc1 = _converted(first, new1, input_order, hidden_order)
    result.fc2 = _converted(second, new2, hidden_order, output_order)
    result.train(module.training)
    return ConvertedModule(result, torch.from_numpy(input_order), torch.from_numpy(output_order))


def _geometries(
    shape: torch.Size, variant: Variant, from_grain: int, to_grain: int
) -> tuple[DyadGeometry, DyadGeometry]:
    n, block_out, block_in = shape
    sizes = (n * block_in, n * block_out, n, variant)
    return DyadGeometry(*sizes, from_grain), DyadGeometry(*sizes, to_grain)


def _order(old: Side, new: Side, name: str) -> IntArray:
    """The old feature at each new place: the k-th of a block and group becomes the k-th of the same block and group."""
    features = np.arange(old.features, dtype=np.int64)
    block = features // old.block
    before, after = block * old.n_blocks + old.group(features), block * new.n_blocks + new.group(features)
    if not old.interleaved:
        return features
    from_places, to_places = np.argsort(before, kind="stable"), np.argsort(after, kind="stable")
    if not np.array_equal(before[from_places], after[to_places]):
        rule = (
            f"must be the same structure as grain {old.run} up to renaming inside the blocks; with n_blocks={old.n_blocks} "
            f"and {name}={old.features} that holds when n_blocks·grain divides the block size {old.block} for both"
        )
        raise SpecError([Problem("grain", rule, new.run, "train a layer of that grain, or change n_blocks")])
    order = np.empty_like(features)
    order[to_places] = from_places
    return order


def _renamed(
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    old: DyadGeometry,
    new: DyadGeometry,
    input_order: IntArray,
    output_order: IntArray,
) -> ConvertedWeights:
    rows = output_order.reshape(old.n_blocks, -1) % old.block_out  # (n, block_out), old position at each new one
    columns = input_order.reshape(old.n_blocks, -1) % old.block_in
    blockdiag = _taken(weight_blockdiag, rows, columns)
    blocktrans = None
    if weight_blocktrans is not None:
        rows = old.output_side.position(output_order[new.output_side.members()])
        columns = old.input_side.position(input_order[new.input_side.members()])
        blocktrans = _taken(weight_blocktrans, rows, columns)
    return ConvertedWeights(blockdiag, blocktrans, torch.from_numpy(input_order), torch.from_numpy(output_order))


def _taken(weight: Tensor, rows: IntArray, columns: IntArray) -> Tensor:
    """Rows (n, block_out) and columns (n, block_in) of each block of a weight, a copy."""
    device = weight.device
    blocks = torch.arange(len(rows), device=device)[:, None, None]
    row_index, column_index = torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)
    return weight[blocks, row_index[:, :, None], column_index[:, None, :]]


def _converted(layer: DyadLinear, new: DyadGeometry, input_order: IntArray, output_order: IntArray) -> DyadLinear:
    """A copy of ``layer`` in the geometry ``new``, keeping dtype, device, ``training`` and ``requires_grad``."""
    result = DyadLinear(
        new.in_features,
        new.out_features,
        bias=layer.bias is not None,
        device="meta",
        dtype=layer.weight_blockdiag.dtype,
        n_blocks=new.n_blocks,
        variant=new.variant,
        grain=new.grain,
        init=layer.init,
        implementation=layer.implementation,
    )
    with torch.no_grad():
        found = _renamed(
            layer.weight_blockdiag, layer.weight_blocktrans, layer.geometry, new, input_order, output_order
        )
        bias = None if layer.bias is None else layer.bias[found.output_order.to(layer.bias.device)]
    result.weight_blockdiag = _like(layer.weight_blockdiag, found.weight_blockdiag)
    if layer.weight_blocktrans is not None and found.weight_blocktrans is not None:
        result.weight_blocktrans = _like(layer.weight_blocktrans, found.weight_blocktrans)
    if layer.bias is not None and bias is not None:
        result.bias = _like(layer.bias, bias)
    return result.train(layer.training)


def _like(old: nn.Parameter, value: Tensor) -> nn.Parameter:
    return nn.Parameter(value, requires_grad=old.requires_grad)
