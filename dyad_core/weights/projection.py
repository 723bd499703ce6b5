"""The nearest DYAD weight of a matrix for many structures at once, beside what low rank and block-diagonal keep.

A projection is lossy. An unstructured matrix keeps a share of its energy (squared Frobenius norm) equal to the share of
positions the pattern holds, 43.75 % at n = 4; :attr:`ProjectedCandidate.unstructured_energy` stands beside what was
found, so that a structured matrix shows. A low-rank matrix of as many parameters keeps more of an unstructured one.

Run ``python -c "import torch; from dyad_core.weights import project; print(project(torch.randn(256, 512)).reading)"``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from dyad_core.geometry import VARIANTS, DyadGeometry, Variant
from dyad_core.weights.comparison import BlockDiagonal, LowRank, equal_block_diagonal, equal_low_rank
from dyad_core.weights.energy import PatternEnergy, energy, residual
from dyad_core.weights.loading import LoadedMatrix
from dyad_core.weights.matrix import Scaled, as_scaled
from dyad_core.weights.progress import OnProgress, Reporter
from dyad_core.weights.singular_values import MAX_SMALLER_SIDE, Spectrum, is_affordable, scaled_spectrum, spectrum_work
from dyad_core.weights.structures import Skipped, candidate_geometries

__all__ = [
    "DEFAULT_N_BLOCKS",
    "LOSSY",
    "ProjectedCandidate",
    "Projection",
    "candidate_geometries",
    "project",
    "projected_candidate",
]

DEFAULT_N_BLOCKS = (4, 8, 16)

EXACT_BELOW = 1e-6
"""Where less than this share of the energy is lost, it is summed itself: one minus the rest would be rounding."""

LOSSY = (
    "Projection drops every entry outside the pattern, so the layer computes another function than before; "
    "a projected model has to be trained again before its quality can be judged"
)


@dataclass(frozen=True)
class ProjectedCandidate:
    """One structure and its nearest weight.

    Attributes:
        geometry: sizes, n, variant and grain.
        captured_energy: share of the squared Frobenius norm inside the pattern, 0 to 1.
        lost_energy: the rest; the two sum to one.
        relative_error: √lost_energy, Frobenius norm of what is dropped over that of the matrix.
        low_rank: the best low-rank matrix with at most as many parameters; None without singular values.
        block_diagonal: the best block-diagonal matrix with at most as many parameters.
    """

    geometry: DyadGeometry
    captured_energy: float
    lost_energy: float
    relative_error: float
    low_rank: LowRank | None
    block_diagonal: BlockDiagonal

    @property
    def unstructured_energy(self) -> float:
        """Share that an unstructured matrix would keep: the share of positions inside the pattern."""
        return self.geometry.density

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        geometry = self.geometry
        return {
            "variant": geometry.variant,
            "n_blocks": geometry.n_blocks,
            "grain": geometry.grain,
            "parameters": geometry.parameters,
            "positions": geometry.positions,
            "captured_energy": self.captured_energy,
            "lost_energy": self.lost_energy,
            "relative_error": self.relative_error,
            "unstructured_energy": self.unstructured_energy,
            "low_rank": None if self.low_rank is None else self.low_rank.to_dict(),
            "block_diagonal": self.block_diagonal.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class Projection:
    """All candidates of a matrix.

    Attributes:
        out_features: rows of the matrix.
        in_features: its columns.
        frobenius_norm: of the matrix.
        candidates: in the order asked for: by n, then variant, then grain.
        skipped: structures that do not fit, each with the reason.
        spectrum: singular values of the matrix, or None.
        notes: what a reader should know, in sentences.
    """

    out_features: int
    in_features: int
    frobenius_norm: float
    candidates: tuple[ProjectedCandidate, ...]
    skipped: tuple[Skipped, ...]
    spectrum: Spectrum | None
    notes: tuple[str, ...]

    def nearest(self, n_blocks: int) -> ProjectedCandidate:
        """The candidate that keeps the most at this n."""
        return max((c for c in self.candidates if c.geometry.n_blocks == n_blocks), key=lambda c: c.captured_energy)

    @property
    def reading(self) -> str:
        """One sentence for each n: the nearest variant, what chance would keep, and what low rank keeps."""
        numbers = dict.fromkeys(candidate.geometry.n_blocks for candidate in self.candidates)
        return " ".join(_sentence(self.nearest(n)) for n in numbers)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "matrix": {
                "out_features": self.out_features,
                "in_features": self.in_features,
                "parameters": self.out_features * self.in_features,
                "frobenius_norm": self.frobenius_norm,
            },
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "skipped": [skipped.to_dict() for skipped in self.skipped],
            "spectrum": None if self.spectrum is None else self.spectrum.to_dict(),
            "reading": self.reading,
            "notes": list(self.notes),
        }


def project(
    matrix: Tensor | np.ndarray[Any, Any] | LoadedMatrix,
    *,
    variants: Sequence[Variant] = VARIANTS,
    n_blocks: Sequence[int] = DEFAULT_N_BLOCKS,
    grains: Sequence[int] = (1,),
    low_rank: bool = True,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Projection:
    """Hold a matrix against DYAD patterns.

    The patterns cost a few passes over the matrix; the singular values of the matrix, for the low-rank comparison,
    cost the most (see :mod:`.singular_values`). Those of a projected matrix: :func:`dyad_core.weights.examine`.

    Args:
        matrix: (out_features, in_features) of finite numbers, float64 kept, everything else as float32.
        variants: of the patterns.
        n_blocks: of the patterns; those that do not fit the sizes are reported as skipped.
        grains: run lengths of the interleave.
        low_rank: compute the singular values and compare.
        on_progress: told before every step.
        cancel: set it to stop before the next step.

    Raises:
        SpecError: a wrong matrix, an unknown variant, more than 64 structures, or none that fits.
        OperationCancelled: when ``cancel`` is set.
    """
    scaled = as_scaled(matrix)
    values = scaled.values
    out_features, in_features = values.shape
    geometries, skipped = candidate_geometries(in_features, out_features, variants, n_blocks, grains)
    notes = [LOSSY]
    if low_rank and not is_affordable(values):
        low_rank = False
        notes.append(
            f"No comparison with low rank: singular values are not computed for a smaller side of {min(values.shape)}, "
            f"only up to {MAX_SMALLER_SIDE}"
        )
    work = {"patterns": 100.0 * values.numel() * len(geometries)} | (spectrum_work(values) if low_rank else {})
    reporter = Reporter(work, on_progress, cancel)
    energies = PatternEnergy(values)
    kept = []
    for done, geometry in enumerate(geometries):
        reporter.step("patterns", done, len(geometries), f"pattern {geometry.variant}, n_blocks={geometry.n_blocks}")
        kept.append(projected_candidate(scaled, energies, geometry, None))
    reporter.step("patterns", len(geometries), len(geometries), "patterns")
    found = scaled_spectrum(scaled, reporter) if low_rank else None
    if found is not None:
        kept = [_with_low_rank(candidate, found) for candidate in kept]
    norm = math.sqrt(scaled.energy) * scaled.scale
    return Projection(out_features, in_features, norm, tuple(kept), tuple(skipped), found, tuple(notes))


def projected_candidate(
    scaled: Scaled, energies: PatternEnergy, geometry: DyadGeometry, spectrum: Spectrum | None
) -> ProjectedCandidate:
    """Hold a checked matrix against one pattern."""
    captured = min(1.0, energies.captured(geometry) / scaled.energy)
    lost = 1 - captured
    if lost < EXACT_BELOW:
        lost = energy(residual(scaled.values, geometry)) / scaled.energy
        captured = 1 - lost
    low_rank = None if spectrum is None else equal_low_rank(spectrum, geometry)
    beside = equal_block_diagonal(energies, scaled.energy, geometry)
    return ProjectedCandidate(geometry, captured, lost, math.sqrt(lost), low_rank, beside)


def _with_low_rank(candidate: ProjectedCandidate, spectrum: Spectrum) -> ProjectedCandidate:
    geometry, beside = candidate.geometry, equal_low_rank(spectrum, candidate.geometry)
    kept = (candidate.captured_energy, candidate.lost_energy, candidate.relative_error)
    return ProjectedCandidate(geometry, *kept, beside, candidate.block_diagonal)


def _sentence(candidate: ProjectedCandidate) -> str:
    geometry = candidate.geometry
    text = (
        f"At n = {geometry.n_blocks} the nearest is {geometry.variant.upper()}: it keeps {candidate.captured_energy:.1%} of the energy "
        f"(relative error {candidate.relative_error:.2f}; an unstructured matrix would keep {candidate.unstructured_energy:.1%})"
    )
    beside = candidate.block_diagonal
    others = f"block-diagonal of no more parameters (n = {beside.n_blocks}) keeps {beside.captured_energy:.1%}"
    if candidate.low_rank is not None:
        others += f", low rank (rank {candidate.low_rank.rank}) {candidate.low_rank.captured_energy:.1%}"
    return f"{text}; {others}."
