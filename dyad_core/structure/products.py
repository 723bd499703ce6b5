"""Matrix products for counts: exact, and on one thread.

Float64 products are fast and exact while every sum of non-negative integers stays below 2**53. BLAS would
spread the larger ones over threads, and on a machine that is busy (a measurement is running) a product of
one millisecond then waits a quarter of a second for a helper thread, and disturbs the measurement. So
large products are taken in tiles below the size from which OpenBLAS starts threads.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dyad_core.geometry import IntArray

__all__ = ["exact_product", "tiled_product"]

Float = TypeVar("Float", np.float32, np.float64)

EXACT_FLOAT64 = 2**53
"""Every integer up to here is a float64, so sums of non-negative integers below it are exact in any order."""

TILE_MULTIPLY_ADDS = 2**18
"""OpenBLAS keeps a product of m·n·k up to this on one thread (``interface/gemm.c``: 65536 · 4)."""

TILE_ROWS = 16
"""Rows of a tile at least: single rows would be matrix-vector products, which start threads earlier."""


def tiled_product(left: npt.NDArray[Float], right: npt.NDArray[Float]) -> npt.NDArray[Float]:
    """Matrix product of floats on one thread, shapes (m, k) and (k, n) to (m, n)."""
    inner, columns = right.shape
    result = np.empty((len(left), columns), dtype=left.dtype)
    if result.size == 0 or inner == 0:
        return np.zeros_like(result)
    width = max(1, min(columns, TILE_MULTIPLY_ADDS // (TILE_ROWS * inner)))
    height = max(TILE_ROWS, TILE_MULTIPLY_ADDS // (width * inner))
    for column in range(0, columns, width):
        block = np.ascontiguousarray(right[:, column : column + width])
        for row in range(0, len(left), height):
            np.matmul(left[row : row + height], block, out=result[row : row + height, column : column + width])
    return result


def exact_product(left: IntArray, right: IntArray) -> IntArray:
    """Matrix product of non-negative integers, exact or refused.

    Raises:
        OverflowError: when an entry of the result could reach 2**53, where float64 starts to round.
    """
    bound = int(left.sum(axis=1).max(initial=0)) * int(right.max(initial=0))
    if bound >= EXACT_FLOAT64:
        raise OverflowError(f"a matrix product could reach {bound}, beyond the exact range of float64 (2**53)")
    return tiled_product(left.astype(np.float64), right.astype(np.float64)).astype(np.int64)
