"""Pictures of actual weights, decoded from the service's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from frontend.logic.arrays import decode_array
from frontend.schemas_weights import WeightPictureJson

__all__ = ["WeightGrid", "decode_picture", "span_labels", "weight_records"]


@dataclass(frozen=True)
class WeightGrid:
    """Mean magnitude and mean sign per cell.

    Attributes:
        row_edges: outputs where rows begin, and the end of the last, length R + 1.
        column_edges: the same for inputs and columns, length C + 1.
        magnitude: mean of |w| over the positions of a cell, (R, C).
        sign: mean sign over the positions of a cell, zeros counting as 0, (R, C).
        part: ``all`` of the matrix, what the pattern keeps (``kept``) or drops (``dropped``).
    """

    row_edges: npt.NDArray[np.int64]
    column_edges: npt.NDArray[np.int64]
    magnitude: npt.NDArray[np.float32]
    sign: npt.NDArray[np.float32]
    part: str

    @property
    def single_entries(self) -> bool:
        """Whether every cell is one entry of the weight."""
        rows, columns = self.magnitude.shape
        return bool(
            self.row_edges[-1] - self.row_edges[0] == rows and self.column_edges[-1] - self.column_edges[0] == columns
        )


def decode_picture(payload: WeightPictureJson) -> WeightGrid:
    """Decode a picture: magnitudes are shares of the largest, signs whole numbers of 1/127."""
    shape = payload["rows"], payload["columns"]
    magnitude = decode_array(payload["magnitude"]["data"], payload["magnitude"]["dtype"], shape)
    sign = decode_array(payload["sign"]["data"], payload["sign"]["dtype"], shape)
    return WeightGrid(
        np.asarray(payload["row_edges"], dtype=np.int64),
        np.asarray(payload["column_edges"], dtype=np.int64),
        magnitude.astype(np.float32) * np.float32(payload["largest"]),
        sign.astype(np.float32) / np.float32(127),
        payload["part"],
    )


def span_labels(noun: str, edges: npt.NDArray[np.int64]) -> list[str]:
    """Return the features of each row or column in words: ``output 5`` or ``outputs 4–7``."""
    return [
        f"{noun} {start}" if stop == start + 1 else f"{noun}s {start}–{stop - 1}"
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def weight_records(grid: WeightGrid) -> list[dict[str, Any]]:
    """Return one record per cell."""
    rows, columns = grid.row_edges.tolist(), grid.column_edges.tolist()
    return [
        {
            "first_output": rows[row],
            "output_stop": rows[row + 1],
            "first_input": columns[column],
            "input_stop": columns[column + 1],
            "mean_magnitude": float(grid.magnitude[row, column]),
            "mean_sign": float(grid.sign[row, column]),
        }
        for row in range(len(rows) - 1)
        for column in range(len(columns) - 1)
    ]
