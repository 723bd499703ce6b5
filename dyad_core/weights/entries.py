"""What a file holds: its tensors by name, and the choice of one matrix among them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from dyad_core.weights.source import FileFormat, refuse

__all__ = ["FLOATING", "MAX_TENSORS", "Contents", "TensorEntry", "choose"]

MAX_TENSORS = 100_000
"""The most tensors of one file that are listed."""

FLOATING = ("float64", "float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")
"""Stored types that are weights as they stand, by torch's names."""

SHOWN = 8


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file, told without reading its values.

    Attributes:
        name: as the file calls it; ``"array"`` for the one array of a .npy file.
        dtype: torch's name of the stored type where it has one, else the format's own.
        shape: sizes, outermost first.
        bytes: what its values take in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def is_matrix(self) -> bool:
        """Whether it can be projected: two axes, no empty one, floating point."""
        return len(self.shape) == 2 and math.prod(self.shape) > 0 and self.dtype in FLOATING

    def __str__(self) -> str:
        return f"{self.name} {list(self.shape)} {self.dtype}"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "shape": list(self.shape), "is_matrix": self.is_matrix}


@dataclass(frozen=True)
class Contents:
    """The tensors of an open file.

    Attributes:
        format: of the file.
        entries: in the file's order.
        read: gives the values of an entry in their stored type, without a copy where that is possible.
    """

    format: FileFormat
    entries: tuple[TensorEntry, ...]
    read: Callable[[TensorEntry], Tensor]


def choose(contents: Contents, name: str | None) -> TensorEntry:
    """The matrix of this name, or the only one.

    Raises:
        SpecError: when there is none, several and no name, no such name, or it is no matrix of floating-point numbers.
    """
    matrices = [entry for entry in contents.entries if entry.is_matrix]
    known = _listed([str(entry) for entry in matrices])
    suggestion = f"the file's matrices: {known}" if matrices else "the file holds no matrix of floating-point numbers"
    if name is None:
        if len(matrices) == 1:
            return matrices[0]
        if matrices:
            refuse("tensor", f"must name one of the file's {len(matrices)} matrices", None, suggestion)
        rule = "must have a matrix to name: two axes, none empty, floating point"
        return refuse("tensor", rule, _listed([str(entry) for entry in contents.entries]) or "no tensors", suggestion)
    entry = next((entry for entry in contents.entries if entry.name == name), None)
    if entry is None:
        near = difflib.get_close_matches(name, [entry.name for entry in contents.entries[:5000]], n=3)
        hint = f"nearest names: {', '.join(near)}; {suggestion}" if near else suggestion
        return refuse("tensor", "must be the name of a tensor in the file", name, hint)
    if len(entry.shape) != 2:
        refuse("tensor", f"must be a matrix (rank 2); this has rank {len(entry.shape)}", str(entry), suggestion)
    if math.prod(entry.shape) == 0:
        refuse("tensor", "must hold at least one value", str(entry), suggestion)
    if entry.dtype not in FLOATING:
        rule = f"must hold floating-point numbers ({', '.join(FLOATING)})"
        refuse("tensor", rule, str(entry), "quantised weights: multiply by their scale and save as float32 first")
    return entry


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
