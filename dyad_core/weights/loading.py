"""One matrix out of a file that may be hostile, as a tensor that is safe to compute with.

Run ``python -c "from dyad_core.weights import load_matrix; print(load_matrix('model.safetensors', 'fc1.weight'))"``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dyad_core.weights.entries import TensorEntry, choose
from dyad_core.weights.matrix import check_finite
from dyad_core.weights.npy_file import npy_contents
from dyad_core.weights.safetensors_file import safetensors_contents
from dyad_core.weights.source import FileFormat, open_source, readable_bytes, refuse, sniff
from dyad_core.weights.torch_file import torch_contents

__all__ = ["DEFAULT_MAX_BYTES", "LoadedMatrix", "list_tensors", "load_matrix"]

DEFAULT_MAX_BYTES = 2**30
"""The largest matrix that is loaded unless the caller says more: 1 GiB, 16 384 × 16 384 in float32."""

READERS = {"npy": npy_contents, "safetensors": safetensors_contents, "torch": torch_contents}


@dataclass(frozen=True, eq=False)
class LoadedMatrix:
    """A matrix of finite numbers and where it came from.

    Attributes:
        values: (out_features, in_features), float32, or float64 where the file has that; rows are outputs.
        name: of the tensor in the file.
        dtype: torch's name of the stored type.
        format: of the file.
        transposed: whether the file holds it as (in_features, out_features).
    """

    values: Tensor
    name: str
    dtype: str
    format: FileFormat
    transposed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, without the numbers of the matrix."""
        out_features, in_features = self.values.shape
        return {
            "name": self.name,
            "format": self.format,
            "dtype": self.dtype,
            "transposed": self.transposed,
            "out_features": out_features,
            "in_features": in_features,
        }


def list_tensors(source: str | os.PathLike[str] | bytes) -> tuple[TensorEntry, ...]:
    """Names, types and shapes of a file's tensors; no value is read.

    Args:
        source: path of a .npy or .safetensors file or of a state dict written by ``torch.save``, or its bytes.

    Raises:
        SpecError: when the file is none of these, is damaged, or lies about its sizes.
    """
    with open_source(source) as opened:
        return READERS[sniff(opened)](opened).entries


def load_matrix(
    source: str | os.PathLike[str] | bytes,
    name: str | None = None,
    *,
    transpose: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> LoadedMatrix:
    """Load one matrix; no pickle is ever run, and no other file is opened.

    Sizes and headers are checked before memory is taken. Types narrower than float32 become float32.
    float32 values of a file stay mapped: the file must not be changed while they are in use.

    Args:
        source: path of a .npy or .safetensors file or of a state dict written by ``torch.save``, or its bytes.
        name: of the tensor; None takes the only matrix of the file.
        transpose: the file holds it as (in_features, out_features), as GPT-2's Conv1D does.
        max_bytes: the largest matrix that is loaded, in bytes as float32 (float64 where the file has that).

    Raises:
        SpecError: for a wrong file (see :func:`list_tensors`), a name that is none, a tensor that is no matrix of
            floating-point numbers, a matrix above ``max_bytes``, or one with NaN or infinity (how many, and where first).
    """
    with open_source(source) as opened:
        contents = READERS[sniff(opened)](opened)
        entry = choose(contents, name)
        work = torch.float64 if entry.dtype == "float64" else torch.float32
        needed = entry.shape[0] * entry.shape[1] * work.itemsize
        if needed > max_bytes:
            refuse(
                "tensor",
                f"must need at most max_bytes={readable_bytes(max_bytes)} as {str(work).removeprefix('torch.')}",
                f"{entry}, {readable_bytes(needed)}",
                f"raise the limit with max_bytes={needed} (--max-bytes on the command line)",
            )
        stored = contents.read(entry)
        values = (stored.T if transpose else stored).to(work).contiguous()
    check_finite(values, f"tensor {entry.name!r}")
    return LoadedMatrix(values, entry.name, entry.dtype, contents.format, transpose)
