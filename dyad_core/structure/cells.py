"""Where the cells of a reduced picture begin and end.

A picture with cells of unequal size shows stripes that the weight does not have, and a cell across a
block border blurs it. So a cell size is looked for that divides the features and fits the blocks; only
where none is near are the cells as equal as integers allow.
"""

from __future__ import annotations

import numpy as np

from dyad_core.geometry import IntArray

__all__ = ["cell_edges"]


def cell_edges(start: int, stop: int, block: int, features: int, max_cells: int) -> IntArray:
    """Edges of the cells that cover the features ``start`` to ``stop - 1``, ascending, at most ``max_cells`` cells.

    With at most ``max_cells`` features each is a cell of its own. Otherwise the cells have one size
    (but for the first and last, where the window cuts them) that divides a block or holds whole blocks,
    unless that would need cells more than twice as large as necessary.

    Shape: (cells + 1,).
    """
    length = stop - start
    if length <= max_cells:
        return np.arange(start, stop + 1, dtype=np.int64)
    smallest = -(-length // max_cells)
    for size in range(smallest, 2 * smallest + 1):
        fits_blocks = block % size == 0 or (size % block == 0 and features % size == 0)
        if fits_blocks and -(-stop // size) - start // size <= max_cells:
            inner = np.arange(start // size + 1, -(-stop // size), dtype=np.int64) * size
            return np.concatenate([[start], inner, [stop]]).astype(np.int64)
    return start + np.arange(max_cells + 1, dtype=np.int64) * length // max_cells
