"""Weights that exist: load one safely, project it onto DYAD patterns, and see what is lost.

* :func:`list_tensors`, :func:`load_matrix`: from .npy, .safetensors and ``torch.save`` files that may be hostile;
* :func:`project`: the nearest DYAD weight for many structures, beside low rank and block-diagonal;
* :func:`spectrum`: singular values.

Needs torch and numpy alone; every answer has ``to_dict()`` with JSON-ready values.
"""

from dyad_core.weights.comparison import BlockDiagonal, LowRank
from dyad_core.weights.entries import TensorEntry
from dyad_core.weights.loading import DEFAULT_MAX_BYTES, LoadedMatrix, list_tensors, load_matrix
from dyad_core.weights.progress import OnProgress, Progress
from dyad_core.weights.projection import ProjectedCandidate, Projection, Skipped, project
from dyad_core.weights.spectrum import Spectrum, spectrum

__all__ = [
    "DEFAULT_MAX_BYTES",
    "BlockDiagonal",
    "LoadedMatrix",
    "LowRank",
    "OnProgress",
    "Progress",
    "ProjectedCandidate",
    "Projection",
    "Skipped",
    "Spectrum",
    "TensorEntry",
    "list_tensors",
    "load_matrix",
    "project",
    "spectrum",
]
