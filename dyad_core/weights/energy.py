"""What a DYAD pattern keeps of a dense matrix, and what it drops.

The nearest matrix of a pattern keeps the entries inside it (:func:`dyad_core.ops.project_dense` gives the two
components). Here the entries are reached as views of the dense matrix, never by an index per entry: BLOCKTRANS block
b is ``matrix.view(runs, n, run, runs, n, run)[:, b, :, :, b, :]``.

Words: the energy of a matrix is its squared Frobenius norm.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from dyad_core.geometry import DyadGeometry

__all__ = ["PatternEnergy", "energy", "projected", "residual"]


def energy(values: Tensor) -> float:
    """Sum of squares, accumulated in float64 without a float64 copy."""
    return float(torch.linalg.vector_norm(values, dtype=torch.float64)) ** 2


class PatternEnergy:
    """Energies of one matrix inside patterns; those of diagonal blocks, which many patterns share, are summed once.

    Args:
        values: (out_features, in_features), contiguous; must not change afterwards.
    """

    def __init__(self, values: Tensor) -> None:
        """Remember the matrix."""
        self.values = values
        self._diagonal: dict[int, float] = {}

    def captured(self, geometry: DyadGeometry) -> float:
        """Energy inside the pattern of ``geometry``, which has the matrix's sizes; reads at most 3/n of the matrix."""
        n = geometry.n_blocks
        if n not in self._diagonal:
            self._diagonal[n] = sum(energy(block) for block in blockdiag_views(self.values, geometry))
        if geometry.variant == "bd":
            return self._diagonal[n]
        transposed = sum(energy(block) for block in blocktrans_views(self.values, geometry))
        return self._diagonal[n] + transposed - _shared_energy(self.values, geometry)


def projected(values: Tensor, geometry: DyadGeometry) -> Tensor:
    """The nearest matrix of the pattern, dense: zeros outside it."""
    kept = torch.zeros_like(values)
    for views in (blockdiag_views, blocktrans_views):
        for target, block in zip(views(kept, geometry), views(values, geometry), strict=True):
            target.copy_(block)
    return kept


def residual(values: Tensor, geometry: DyadGeometry) -> Tensor:
    """What the projection drops, dense: zeros inside the pattern."""
    dropped = values.clone()
    for views in (blockdiag_views, blocktrans_views):
        for block in views(dropped, geometry):
            block.zero_()
    return dropped


def blockdiag_views(values: Tensor, geometry: DyadGeometry) -> Iterator[Tensor]:
    """The n diagonal blocks, each (block_out, block_in), sharing the memory of ``values``."""
    for b in range(geometry.n_blocks):
        rows = slice(b * geometry.block_out, (b + 1) * geometry.block_out)
        yield values[rows, b * geometry.block_in : (b + 1) * geometry.block_in]


def blocktrans_views(values: Tensor, geometry: DyadGeometry) -> Iterator[Tensor]:
    """The n blocks of BLOCKTRANS, none for ``bd``, each (runs, run, runs, run), sharing the memory of ``values``."""
    if geometry.variant == "bd":
        return
    sides = (geometry.output_side, geometry.input_side)
    dealt = values.view([part for side in sides for part in (side.block // side.run, side.n_blocks, side.run)])
    for b in range(geometry.n_blocks):
        yield dealt[:, b, :, :, b, :]


def _shared_energy(values: Tensor, geometry: DyadGeometry) -> float:
    """Energy at the positions that both components hold."""
    n = geometry.n_blocks
    group_out, group_in = (
        torch.from_numpy(side.group(np.arange(side.features))).view(n, side.block)
        for side in (geometry.output_side, geometry.input_side)
    )
    blocks = enumerate(blockdiag_views(values, geometry))
    return sum(energy(block[group_out[b][:, None] == group_in[b][None, :]]) for b, block in blocks)
