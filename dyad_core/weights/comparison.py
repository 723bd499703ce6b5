"""What else could be done with as many parameters: a low-rank matrix, and a block-diagonal one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from dyad_core.geometry import DyadGeometry, divisors
from dyad_core.weights.energy import PatternEnergy
from dyad_core.weights.singular_values import Spectrum

__all__ = ["BlockDiagonal", "LowRank", "equal_block_diagonal", "equal_low_rank"]


@dataclass(frozen=True)
class LowRank:
    """The nearest product of a (out_features, rank) and a (rank, in_features) matrix.

    Attributes:
        rank: the largest whose parameters do not exceed the DYAD layer's.
        parameters: rank · (in_features + out_features).
        captured_energy: share of the energy it keeps, 0 to 1.
        relative_error: Frobenius norm of what it drops over that of the matrix.
    """

    rank: int
    parameters: int
    captured_energy: float
    relative_error: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class BlockDiagonal:
    """The nearest block-diagonal matrix.

    Attributes:
        n_blocks: the smallest number of blocks whose parameters do not exceed the DYAD layer's; n/2 where that divides
            both sizes.
        parameters: in_features · out_features / n_blocks.
        captured_energy: share of the energy it keeps, 0 to 1.
        relative_error: Frobenius norm of what it drops over that of the matrix.
    """

    n_blocks: int
    parameters: int
    captured_energy: float
    relative_error: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


def equal_low_rank(spectrum: Spectrum, geometry: DyadGeometry) -> LowRank:
    """The best low-rank matrix with at most the parameters of ``geometry``, from the singular values."""
    features = geometry.in_features + geometry.out_features
    rank = min(geometry.parameters // features, geometry.in_features, geometry.out_features)
    share = spectrum.captured(rank)
    return LowRank(rank, rank * features, share, math.sqrt(1 - share))


def equal_block_diagonal(energies: PatternEnergy, whole: float, geometry: DyadGeometry) -> BlockDiagonal:
    """The best block-diagonal matrix with at most the parameters of ``geometry``.

    Args:
        energies: of the matrix.
        whole: energy of the matrix.
        geometry: whose parameters are the limit.
    """
    needed = geometry.n_blocks / geometry.components
    shared = math.gcd(geometry.in_features, geometry.out_features)
    n_blocks = min(n for n in divisors(shared, geometry.n_blocks) if n >= needed)
    blocks = DyadGeometry(geometry.in_features, geometry.out_features, n_blocks, "bd")
    share = min(1.0, energies.captured(blocks) / whole)
    return BlockDiagonal(n_blocks, blocks.parameters, share, math.sqrt(1 - share))
