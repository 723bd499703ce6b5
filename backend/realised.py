"""Pictures of actual weights beside the pattern: drawn as a fresh layer has them, or read from an upload.

This reads whole matrices in the service's own process, so it is limited to small ones; larger ones are a projection's
business, which runs in a process of its own.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from backend.requests import RealisedDraw, RealisedUpload
from backend.uploads import Uploads
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.structure import Window
from dyad_core.structure.ranks import realised_weight
from dyad_core.weights import load_matrix, weight_picture
from dyad_core.weights.pictures import DEFAULT_CELLS

__all__ = ["MAX_REALISED_ENTRIES", "realised_picture"]

MAX_REALISED_ENTRIES = 2**22
"""out_features × in_features, 1024 → 4096: about a quarter of a second on one core."""


def realised_picture(
    wanted: RealisedDraw | RealisedUpload,
    geometry: DyadGeometry,
    uploads: Uploads,
    *,
    window: Window | None,
    max_cells: int,
) -> dict[str, Any]:
    """Magnitude and sign by cell, JSON-ready, and where the weights come from.

    Raises:
        SpecError: the layer is too large, or the tensor is not of its sizes.
    """
    if geometry.dense_parameters > MAX_REALISED_ENTRIES:
        rule = f"are shown up to in_features · out_features = {MAX_REALISED_ENTRIES}"
        suggestion = "take smaller sizes; POST /api/v1/structure/projection pictures larger uploads"
        raise SpecError([Problem("weights", rule, geometry.dense_parameters, suggestion)])
    cells = min(max_cells, DEFAULT_CELLS)
    if isinstance(wanted, RealisedDraw):
        scale = math.sqrt(geometry.limit) if wanted.init == "variance_preserving" else 1.0
        drawn = (realised_weight(geometry, np.random.default_rng(wanted.seed)) * scale).astype(np.float32)
        picture = weight_picture(drawn, geometry=geometry, window=window, max_cells=cells)
        return {"source": {"kind": "drawn", **asdict(wanted)}, **picture.to_dict()}
    upload = uploads.get(wanted.upload)
    entry = upload.choose(wanted.tensor)
    sizes = geometry.in_features, geometry.out_features
    if (stored := entry.shape if wanted.transpose else entry.shape[::-1]) != sizes:
        rule = f"must have the sizes of the layer, {sizes[0]} → {sizes[1]}"
        suggestion = f"set in_features={stored[0]} and out_features={stored[1]}"
        if stored[::-1] == sizes:
            suggestion += f", or transpose={str(not wanted.transpose).lower()}"
        raise SpecError([Problem("tensor", rule, f"{entry.name}, {stored[0]} → {stored[1]}", suggestion)])
    matrix = load_matrix(uploads.path(upload), entry.name, transpose=wanted.transpose)
    picture = weight_picture(matrix, geometry=geometry, part=wanted.part, window=window, max_cells=cells)
    source = {"upload": upload.id, "file": upload.name, "tensor": entry.name, "dtype": entry.dtype}
    return {"source": {"kind": "upload", **source, "transposed": wanted.transpose}, **picture.to_dict()}
