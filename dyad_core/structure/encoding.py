"""Counts of a picture as text for JSON, and back: a nested list of 512 × 512 numbers would be megabytes.

The text is base64 of zlib of the little-endian integers, row by row; any language reads it.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np
import numpy.typing as npt

__all__ = ["decode_counts", "encode_counts", "encoding_name"]


def encoding_name(dtype: np.dtype[np.unsignedinteger]) -> str:
    """The words that tell a reader how the counts of ``dtype`` were written."""
    return f"base64 zlib little-endian {dtype.name}, row-major, rows x columns"


def encode_counts(counts: npt.NDArray[np.unsignedinteger]) -> str:
    """Write an array of unsigned integers as text."""
    # Level 3 takes a third of the time of the default level; counts repeat so much that either is a few kilobytes.
    raw = np.ascontiguousarray(counts, dtype=counts.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(raw, level=3)).decode("ascii")


def decode_counts(text: str, rows: int, columns: int, dtype: str = "uint32") -> npt.NDArray[np.unsignedinteger]:
    """Read what :func:`encode_counts` wrote; shape (rows, columns).

    Raises:
        ValueError: when the text does not hold rows × columns integers of ``dtype``.
    """
    raw = zlib.decompress(base64.b64decode(text, validate=True))
    return np.frombuffer(raw, dtype=np.dtype(dtype).newbyteorder("<")).reshape(rows, columns)
