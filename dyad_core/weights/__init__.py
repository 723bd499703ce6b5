"""Weights that exist: load one safely, project it onto DYAD patterns, and see what is lost.

* :func:`list_tensors`, :func:`load_matrix`: from .npy, .safetensors and ``torch.save`` files that may be hostile;
* :func:`project`: the nearest DYAD weight for many structures, beside low rank and block-diagonal;
* :func:`examine`: one of them in detail, with singular values and pictures; :func:`spectrum`, :func:`weight_picture`;
* :func:`reorder_hidden`: an order of hidden units that lets a feed-forward's two patterns keep more.

Needs torch and numpy alone; every answer has ``to_dict()`` with JSON-ready values.
"""

from dyad_core.weights.comparison import BlockDiagonal, LowRank
from dyad_core.weights.entries import TensorEntry
from dyad_core.weights.examination import Examination, examine
from dyad_core.weights.loading import DEFAULT_MAX_BYTES, LoadedMatrix, list_tensors, load_matrix
from dyad_core.weights.pictures import Part, WeightPicture, decode_values, weight_picture
from dyad_core.weights.progress import OnProgress, Progress
from dyad_core.weights.projection import ProjectedCandidate, Projection, project
from dyad_core.weights.reorder import CapturedPair, Reordering, permute_hidden, reorder_hidden
from dyad_core.weights.singular_values import Spectrum, spectrum
from dyad_core.weights.structures import Skipped

__all__ = [
    "DEFAULT_MAX_BYTES",
    "BlockDiagonal",
    "CapturedPair",
    "Examination",
    "LoadedMatrix",
    "LowRank",
    "OnProgress",
    "Part",
    "Progress",
    "ProjectedCandidate",
    "Projection",
    "Reordering",
    "Skipped",
    "Spectrum",
    "TensorEntry",
    "WeightPicture",
    "decode_values",
    "examine",
    "list_tensors",
    "load_matrix",
    "permute_hidden",
    "project",
    "reorder_hidden",
    "spectrum",
    "weight_picture",
]
