"""Values of a matrix as a picture of at most 512 × 512 cells: magnitude and sign, of all of it or of what a pattern keeps.

A cell holds the mean of |w| and the mean of the signs over all its positions. A window zooms in; where cells are single
entries, :meth:`WeightPicture.to_dict` also lists the values themselves.

Run ``python -c "from dyad_core import DyadLinear; from dyad_core.weights import weight_picture;
print(weight_picture(DyadLinear(16, 16).to_dense()).magnitude)"`` for a layer's own weight.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, IntArray, positive_integer
from dyad_core.structure.cells import cell_edges
from dyad_core.structure.picture import Window
from dyad_core.structure.sizes import MAX_CELLS
from dyad_core.weights.loading import LoadedMatrix
from dyad_core.weights.matrix import as_tensor, row_chunks
from dyad_core.weights.source import refuse

__all__ = ["DEFAULT_CELLS", "PARTS", "Part", "WeightPicture", "decode_values", "picture_of", "weight_picture"]

Part = Literal["all", "kept", "dropped"]
PARTS: tuple[Part, ...] = get_args(Part)

DEFAULT_CELLS = 256
"""Cells on a side unless more are asked for: about 200 kB as JSON; 512 are 0.8 MB."""

MAX_LISTED = 4096
"""Single entries whose values are listed."""


@dataclass(frozen=True, eq=False)
class WeightPicture:
    """Means by cell; rows are outputs, columns inputs.

    Attributes:
        part: ``all`` of the matrix, what the pattern keeps (``kept``), or the residual (``dropped``); the rest is zero.
        window: the part of the matrix that the cells cover.
        row_edges: first output of each row of cells, and one past the last; shape (rows + 1,).
        column_edges: the same for inputs; shape (columns + 1,).
        magnitude: mean of |w| by cell, shape (rows, columns).
        sign: mean of the sign of w by cell, -1 to 1 with 0 for zeros, shape (rows, columns).
    """

    part: Part
    window: Window
    row_edges: IntArray
    column_edges: IntArray
    magnitude: npt.NDArray[np.float64]
    sign: npt.NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; :func:`decode_values` reads magnitude and sign back.

        Magnitude comes as float16 shares of ``largest``, exact to 0.05 %; sign as int8, -127 to 127 for -1 to 1.
        """
        window = self.window
        whole = (window.out_stop - window.out_start) * (window.in_stop - window.in_start)
        single = self.magnitude.size == whole <= MAX_LISTED
        largest = float(self.magnitude.max())
        return {
            "part": self.part,
            "window": asdict(window),
            "rows": len(self.row_edges) - 1,
            "columns": len(self.column_edges) - 1,
            "row_edges": self.row_edges.tolist(),
            "column_edges": self.column_edges.tolist(),
            "largest": largest,
            "magnitude": {
                "encoding": "base64 zlib little-endian float16, row-major, rows x columns; times largest",
                "dtype": "float16",
                "data": _encoded(self.magnitude / (largest or 1.0), "<f2"),
            },
            "sign": {
                "encoding": "base64 zlib int8, row-major, rows x columns; divided by 127",
                "dtype": "int8",
                "data": _encoded(np.rint(self.sign * 127), "<i1"),
            },
            "entries": (self.magnitude * self.sign).tolist() if single else None,
        }


def weight_picture(
    matrix: Tensor | npt.NDArray[Any] | LoadedMatrix,
    *,
    geometry: DyadGeometry | None = None,
    part: Part = "all",
    window: Window | None = None,
    max_cells: int = DEFAULT_CELLS,
) -> WeightPicture:
    """Reduce a matrix, or what a pattern keeps or drops of it, to cells.

    Args:
        matrix: (out_features, in_features); ``layer.to_dense()`` for a layer's own weight.
        geometry: the pattern for ``kept`` and ``dropped``, of the matrix's sizes.
        part: what to show.
        window: the part of the matrix to show; None shows all of it.
        max_cells: cells on a side at most, from 1 to 512.

    Raises:
        SpecError: a wrong matrix, a geometry of other sizes or none where one is needed, a window that leaves the matrix.
    """
    return picture_of(as_tensor(matrix), geometry, part, window, max_cells)


def picture_of(
    values: Tensor, geometry: DyadGeometry | None, part: Part, window: Window | None, max_cells: int
) -> WeightPicture:
    """:func:`weight_picture` of a checked matrix."""
    out_features, in_features = values.shape
    _check(values, geometry, part, max_cells)
    window = window or Window(0, out_features, 0, in_features)
    # Only the sizes are asked of this geometry.
    if problems := window.problems_in(DyadGeometry(in_features, out_features, 1)):
        raise SpecError(problems)
    block_out, block_in = (1, 1) if geometry is None else (geometry.block_out, geometry.block_in)
    rows = cell_edges(window.out_start, window.out_stop, block_out, out_features, max_cells)
    columns = cell_edges(window.in_start, window.in_stop, block_in, in_features, max_cells)
    shape = len(rows) - 1, len(columns) - 1
    magnitude, sign = np.zeros(shape), np.zeros(shape)
    starts = columns[:-1] - window.in_start
    for cell, (top, bottom) in enumerate(zip(rows, rows[1:], strict=False)):
        start = int(top)
        for chunk in row_chunks(values[top:bottom, window.in_start : window.in_stop]):
            shown = chunk if part == "all" or geometry is None else _part_of(chunk, start, window, geometry, part)
            magnitude[cell] += np.add.reduceat(shown.abs().sum(0, dtype=torch.float64).numpy(), starts)
            sign[cell] += np.add.reduceat(shown.sign().sum(0, dtype=torch.float64).numpy(), starts)
            start += len(chunk)
    area = np.diff(rows)[:, None] * np.diff(columns)[None, :]
    return WeightPicture(part, window, rows, columns, magnitude / area, sign / area)


def decode_values(text: str, rows: int, columns: int, dtype: str) -> npt.NDArray[Any]:
    """Read ``data`` of a picture's magnitude or sign; shape (rows, columns).

    Raises:
        ValueError: when the text does not hold rows × columns values of ``dtype``.
    """
    raw = zlib.decompress(base64.b64decode(text, validate=True))
    return np.frombuffer(raw, dtype=np.dtype(dtype).newbyteorder("<")).reshape(rows, columns)


def _check(values: Tensor, geometry: DyadGeometry | None, part: Part, max_cells: int) -> None:
    problems = []
    if part not in PARTS:
        problems.append(Problem("part", f"must be one of {', '.join(PARTS)}", part))
    if (problem := positive_integer("max_cells", max_cells)) or not 1 <= max_cells <= MAX_CELLS:
        problems.append(problem or Problem("max_cells", f"must be at most {MAX_CELLS}", max_cells))
    if problems:
        raise SpecError(problems)
    if geometry is None:
        if part != "all":
            refuse("geometry", f"must be given to show what is {part}", None)
    elif (geometry.out_features, geometry.in_features) != tuple(values.shape):
        rule = f"must have the matrix's sizes, {values.shape[1]} → {values.shape[0]}"
        refuse("geometry", rule, f"{geometry.in_features} → {geometry.out_features}")


def _part_of(chunk: Tensor, start: int, window: Window, geometry: DyadGeometry, part: Part) -> Tensor:
    """Rows from ``start`` with zeros where the pattern does not hold (``kept``) or does (``dropped``)."""
    outputs = np.arange(start, start + len(chunk))[:, None]
    inputs = np.arange(window.in_start, window.in_stop)[None, :]
    inside = outputs // geometry.block_out == inputs // geometry.block_in
    if geometry.variant != "bd":
        inside |= geometry.output_side.group(outputs) == geometry.input_side.group(inputs)
    return chunk * torch.from_numpy(inside if part == "kept" else ~inside)


def _encoded(values: npt.NDArray[np.float64], dtype: str) -> str:
    return base64.b64encode(zlib.compress(values.astype(dtype).tobytes(), level=3)).decode("ascii")
