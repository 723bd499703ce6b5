"""A .npy file: header checked against the file's size before anything is mapped; objects are never unpickled.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from dyad_core.weights.entries import Contents, TensorEntry
from dyad_core.weights.source import Source, readable_bytes, refuse

__all__ = ["npy_contents"]

MAX_HEADER = 10_000
"""Longest header text; numpy's own limit, for the parser's sake."""

PLAIN_TYPE = re.compile(r"[<>=|]?[biufc]\d{1,2}")


def npy_contents(source: Source) -> Contents:
    """Read the header of a .npy file.

    Raises:
        SpecError: when the header lies about the size or the type is one of objects, records or raw bytes.
    """
    start, header = _header(source)
    shape = _shape(header["shape"])
    dtype = _dtype(header["descr"])
    if not isinstance(header["fortran_order"], bool):
        refuse("file", "its header must say fortran_order as True or False", header["fortran_order"])
    order: Literal["C", "F"] = "F" if header["fortran_order"] else "C"
    needed = math.prod(shape) * dtype.itemsize
    if start + needed != source.size:
        refuse(
            "file",
            f"its header promises {readable_bytes(needed)} of values for shape {list(shape)} of {dtype}",
            readable_bytes(source.size - start),
            "the file is cut off or damaged: save it again",
        )

    def read(entry: TensorEntry) -> Tensor:
        values = source.array(start, entry.shape, dtype, order)
        if not dtype.isnative:
            values = values.astype(dtype.newbyteorder("="))
        return torch.from_numpy(values)

    return Contents("npy", (TensorEntry("array", dtype.newbyteorder("=").name, shape, needed),), read)


def _header(source: Source) -> tuple[int, dict[str, Any]]:
    version = source.read(6, 2)
    if version not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        refuse("file", "must be .npy version 1.0, 2.0 or 3.0", f"{version[0]}.{version[1]}")
    width = 2 if version[0] == 1 else 4
    length = int.from_bytes(source.read(8, width), "little")
    if length > MAX_HEADER:
        refuse("file", f"its .npy header must have at most {MAX_HEADER:,} bytes", f"{length:,} bytes")
    text = source.read(8 + width, length).decode("utf-8" if version[0] == 3 else "latin-1", errors="replace")
    try:
        header = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        header = None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        refuse("file", "its .npy header must name descr, fortran_order and shape", text[:80])
    return 8 + width + length, header


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or not all(type(size) is int and 0 <= size < 2**63 for size in value):
        refuse("file", "its header must give the shape as a tuple of sizes", repr(value)[:80])
    return tuple(value)


def _dtype(descr: Any) -> np.dtype[Any]:
    advice = "save it as float32"
    if isinstance(descr, list):
        return refuse("file", "must hold plain numbers, no records (structured dtype)", repr(descr)[:80], advice)
    if not isinstance(descr, str) or not PLAIN_TYPE.fullmatch(descr):
        is_object = isinstance(descr, str) and descr.strip("<>=|").startswith("O")
        why = "an object array is a Python pickle, and none is opened" if is_object else "no text, dates or raw bytes"
        refuse("file", f"must hold plain numbers: {why}", repr(descr)[:80], advice)
    try:
        return np.dtype(descr)
    except TypeError:
        return refuse("file", "its header must name a number type of numpy", descr, advice)
