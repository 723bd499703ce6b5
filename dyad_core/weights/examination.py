"""One chosen projection in detail: singular values before and after, and pictures of the matrix and of what is dropped.

The singular values of a projected matrix cost what those of the matrix cost (see :mod:`.singular_values`), so they are
computed for one chosen structure, not for all that :func:`dyad_core.weights.project` holds against each other.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from torch import Tensor

from dyad_core.geometry import DyadGeometry
from dyad_core.weights.energy import PatternEnergy, energy, projected, residual
from dyad_core.weights.loading import LoadedMatrix
from dyad_core.weights.matrix import Scaled, as_scaled
from dyad_core.weights.pictures import DEFAULT_CELLS, WeightPicture, picture_of
from dyad_core.weights.progress import OnProgress, Reporter
from dyad_core.weights.projection import LOSSY, ProjectedCandidate, projected_candidate
from dyad_core.weights.singular_values import Spectrum, scaled_spectrum, spectrum_work

__all__ = ["Examination", "examine"]


@dataclass(frozen=True, eq=False)
class Examination:
    """One structure held against a matrix.

    Attributes:
        candidate: what it keeps and loses, beside low rank and block-diagonal.
        original: singular values of the matrix.
        kept: singular values of its projection.
        dropped: singular values of the residual, the largest being the worst error on any input of length one;
            None unless asked for.
        picture: the matrix.
        residual_picture: what the projection drops.
    """

    candidate: ProjectedCandidate
    original: Spectrum
    kept: Spectrum
    dropped: Spectrum | None
    picture: WeightPicture
    residual_picture: WeightPicture

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "candidate": self.candidate.to_dict(),
            "spectra": {
                "original": self.original.to_dict(),
                "kept": self.kept.to_dict(),
                "dropped": None if self.dropped is None else self.dropped.to_dict(),
            },
            "pictures": {"all": self.picture.to_dict(), "dropped": self.residual_picture.to_dict()},
            "notes": [LOSSY],
        }


def examine(
    matrix: Tensor | npt.NDArray[Any] | LoadedMatrix,
    geometry: DyadGeometry,
    *,
    original: Spectrum | None = None,
    residual_spectrum: bool = False,
    max_cells: int = DEFAULT_CELLS,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Examination:
    """Look at one projection in detail.

    Args:
        matrix: (out_features, in_features) of finite numbers.
        geometry: of the same sizes.
        original: singular values of the matrix where they are known already (``projection.spectrum``).
        residual_spectrum: also those of the residual, at the same cost again.
        max_cells: cells on a side of the pictures, from 1 to 512.
        on_progress: told before every step.
        cancel: set it to stop before the next step.

    Raises:
        SpecError: a wrong matrix, other sizes than the geometry's, or a smaller side above 8192.
        OperationCancelled: when ``cancel`` is set.
    """
    scaled = as_scaled(matrix)
    values = scaled.values
    names = ["original"] * (original is None) + ["kept"] + ["dropped"] * residual_spectrum
    work = {"pictures": 20.0 * values.numel()}
    for name in names:
        work |= spectrum_work(values, f"{name} ")
    reporter = Reporter(work, on_progress, cancel)
    reporter.step("pictures", 0, 2, "picture of the matrix")
    unscaled = values if scaled.scale == 1.0 else values * scaled.scale
    picture = picture_of(unscaled, geometry, "all", None, max_cells)
    reporter.step("pictures", 1, 2, "picture of the residual")
    residual_picture = picture_of(unscaled, geometry, "dropped", None, max_cells)
    reporter.step("pictures", 2, 2, "pictures")
    del unscaled
    if original is None:
        original = scaled_spectrum(scaled, reporter, "original ")
    kept = scaled_spectrum(_part(scaled, projected(values, geometry)), reporter, "kept ", "the projection")
    dropped = None
    if residual_spectrum:
        dropped = scaled_spectrum(_part(scaled, residual(values, geometry)), reporter, "dropped ", "the residual")
    candidate = projected_candidate(scaled, PatternEnergy(values), geometry, original)
    return Examination(candidate, original, kept, dropped, picture, residual_picture)


def _part(scaled: Scaled, values: Tensor) -> Scaled:
    return Scaled(values, scaled.scale, energy(values))
