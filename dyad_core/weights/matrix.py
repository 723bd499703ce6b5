"""Matrices ready for arithmetic: two axes, finite, and scaled so that squares neither overflow nor vanish."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dyad_core.weights.energy import energy
from dyad_core.weights.source import refuse

if TYPE_CHECKING:
    from dyad_core.weights.loading import LoadedMatrix

__all__ = ["Scaled", "as_scaled", "as_tensor", "check_finite", "row_chunks"]

CHUNK_VALUES = 2**22
"""Values handled at once: 32 MiB in float64."""

SAFE_EXPONENT = 30
"""Matrices whose largest value lies between 2**-30 and 2**30 are used as they are."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """A matrix W = values · scale.

    Attributes:
        values: (out_features, in_features), float32 or float64, contiguous, on the CPU.
        scale: a power of two, almost always 1.
        energy: sum of the squares of ``values``, in float64.
    """

    values: Tensor
    scale: float
    energy: float


def as_tensor(matrix: Tensor | np.ndarray[Any, Any] | LoadedMatrix, field: str = "matrix") -> Tensor:
    """A matrix of finite numbers as a contiguous tensor on the CPU, float32 or float64.

    Raises:
        SpecError: wrong rank, no value, no floating-point numbers, NaN or infinity.
    """
    loaded = getattr(matrix, "values", None)
    if isinstance(loaded, Tensor) and not isinstance(matrix, Tensor):
        return loaded  # checked when it was loaded
    tensor = matrix.detach() if isinstance(matrix, Tensor) else _from_numpy(matrix, field)
    if tensor.ndim != 2:
        refuse(field, f"must be a matrix (rank 2); this has rank {tensor.ndim}", f"shape {list(tensor.shape)}")
    if tensor.numel() == 0:
        refuse(field, "must hold at least one value", f"shape {list(tensor.shape)}")
    if not tensor.dtype.is_floating_point:
        refuse(field, "must hold floating-point numbers", str(tensor.dtype), "convert it to float32")
    work = torch.float64 if tensor.dtype == torch.float64 else torch.float32
    tensor = tensor.to("cpu", work).contiguous()
    check_finite(tensor, field)
    return tensor


def _from_numpy(matrix: object, field: str) -> Tensor:
    """A copy in the machine's byte order."""
    array = np.asarray(matrix)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        refuse(field, "must hold floating-point numbers of at most 64 bits", str(array.dtype), "convert it to float32")
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))


def as_scaled(matrix: Tensor | np.ndarray[Any, Any] | LoadedMatrix, field: str = "matrix") -> Scaled:
    """Check a matrix and bring it to a range where squares are exact enough; see :func:`as_tensor`.

    Raises:
        SpecError: as :func:`as_tensor`, or every value is zero, so that shares of its energy mean nothing.
    """
    values = as_tensor(matrix, field)
    largest = max(float(chunk.abs().max()) for chunk in row_chunks(values))
    if largest == 0:
        refuse(field, "must hold a value other than zero: shares of no energy mean nothing", "zeros alone")
    exponent = math.frexp(largest)[1]
    scale = 1.0
    if abs(exponent) > SAFE_EXPONENT:
        scale = math.ldexp(1.0, exponent - 1)  # the largest value becomes one between 1 and 2
        values = (values.double() / scale).to(values.dtype)
    return Scaled(values, scale, energy(values))


def check_finite(values: Tensor, field: str) -> None:
    """Refuse NaN and infinity, saying how many there are and where the first is; scanned in pieces.

    Raises:
        SpecError: with the count and the first row and column.
    """
    count, first = 0, ""
    row = 0
    for chunk in row_chunks(values):
        bad = ~torch.isfinite(chunk)
        if bad.any():
            if not first:
                place = int(bad.flatten().to(torch.uint8).argmax())
                first = f"{float(chunk.flatten()[place])} at row {row + place // chunk.shape[1]}, column {place % chunk.shape[1]}"
            count += int(bad.sum())
        row += len(chunk)
    if count:
        received = f"{count:,} of {values.numel():,} are not, the first is {first}"
        refuse(field, "must hold finite numbers alone", received, "check the training run that wrote it")


def row_chunks(values: Tensor) -> Iterator[Tensor]:
    """The matrix in pieces of whole rows, none much larger than 32 MiB in float64."""
    step = max(1, CHUNK_VALUES // values.shape[1])
    for start in range(0, len(values), step):
        yield values[start : start + step]
