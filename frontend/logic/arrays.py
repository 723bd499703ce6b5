"""Arrays of an answer: base64 of zlib of little-endian numbers, row by row."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["decode_array"]


def decode_array(text: str, dtype: str, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Return the numbers that ``text`` holds, shape (rows, columns)."""
    raw = zlib.decompress(base64.b64decode(text))
    return np.frombuffer(raw, dtype=np.dtype(dtype).newbyteorder("<")).reshape(shape)
