"""Arrays of a picture as text for JSON, and back: a nested list of 512 × 512 numbers would be megabytes.

The text is base64 of zlib of the little-endian numbers, row by row; any language reads it.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["decode_array", "decode_counts", "encode_array", "encoding_name"]


def encoding_name(dtype: np.dtype[Any]) -> str:
    """The words that tell a reader how numbers of ``dtype`` were written."""
    return f"base64 zlib little-endian {dtype.name}, row-major, rows x columns"


def encode_array(values: npt.NDArray[Any]) -> str:
    """Write an array of integers or floats as text."""
    # Level 3 takes a third of the time of the default level; counts repeat so much that either is a few kilobytes.
    raw = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(raw, level=3)).decode("ascii")


def decode_array(text: str, rows: int, columns: int, dtype: str) -> npt.NDArray[Any]:
    """Read what :func:`encode_array` wrote; shape (rows, columns).

    Raises:
        ValueError: when the text does not hold rows × columns numbers of ``dtype``.
    """
    raw = zlib.decompress(base64.b64decode(text, validate=True))
    return np.frombuffer(raw, dtype=np.dtype(dtype).newbyteorder("<")).reshape(rows, columns)


def decode_counts(text: str, rows: int, columns: int, dtype: str = "uint32") -> npt.NDArray[np.unsignedinteger]:
    """Read the counts of a picture; shape (rows, columns), errors as :func:`decode_array`."""
    return decode_array(text, rows, columns, dtype)
