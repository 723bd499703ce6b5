"""A .safetensors file: 8 bytes of header length (little-endian), a JSON header, raw values.

The whole header is checked against the file's size before a value is mapped: unknown types, shapes that do not
fill their span, spans that overlap, leave holes or reach past the end, names that come twice.
Format: https://huggingface.co/docs/safetensors (the same rules as its own reader, which is not needed here).
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from dyad_core.weights.entries import MAX_TENSORS, Contents, TensorEntry
from dyad_core.weights.source import MAX_HEADER_BYTES, Source, readable_bytes, refuse

__all__ = ["safetensors_contents"]

TYPES: dict[str, tuple[str, int]] = {
    "F64": ("float64", 64),
    "F32": ("float32", 32),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F6_E2M3": ("F6_E2M3", 6),
    "F6_E3M2": ("F6_E3M2", 6),
    "F4": ("F4", 4),
    "C64": ("complex64", 64),
    "BOOL": ("bool", 8),
    **{
        f"{letter}{bits}": (f"{word}{bits}", bits)
        for letter, word in (("I", "int"), ("U", "uint"))
        for bits in (8, 16, 32, 64)
    },
}
"""Type code → torch's name (or the code where torch has none) and bits of one value."""

MOST_BRACKETS, MOST_COMMAS = 6 * MAX_TENSORS, 20 * MAX_TENSORS
"""Three brackets a tensor, twice as many where names have some; counted before parsing, for three bytes become sixty."""

DAMAGED = "the header is damaged or written to deceive: save the file again"


def safetensors_contents(source: Source) -> Contents:
    """Read and check the header of a .safetensors file.

    Raises:
        SpecError: naming the tensor and the rule that its header entry breaks.
    """
    length = int.from_bytes(source.read(0, 8), "little")
    if 8 + length > source.size:
        rule = f"its first 8 bytes promise a header of {length:,} bytes"
        refuse("file", rule, f"{source.size:,} bytes in all", "the file is cut off or no .safetensors file")
    if length > MAX_HEADER_BYTES:
        rule = f"its header must have at most {readable_bytes(MAX_HEADER_BYTES)}"
        refuse("file", rule, readable_bytes(length), "save the tensor that is wanted in a file of its own")
    data_start = 8 + length
    spans: dict[str, tuple[int, int]] = {}
    entries = []
    for name, value in _header(source.read(8, length)).items():
        entry, span = _entry(name, value, source.size - data_start)
        entries.append(entry)
        spans[name] = span
    if len(entries) > MAX_TENSORS:
        refuse("file", f"must hold at most {MAX_TENSORS:,} tensors", len(entries))
    _check_cover(spans, source.size - data_start)

    def read(entry: TensorEntry) -> Tensor:
        size = entry.bytes // math.prod(entry.shape)
        raw = source.array(data_start + spans[entry.name][0], entry.shape, np.dtype(f"<i{size}"))
        native = raw.astype(raw.dtype.newbyteorder("="), copy=False)
        return torch.from_numpy(native).view(getattr(torch, entry.dtype))

    return Contents("safetensors", tuple(entries), read)


def _header(data: bytes) -> dict[str, Any]:
    if data.count(b"{") + data.count(b"[") > MOST_BRACKETS or data.count(b",") > MOST_COMMAS:
        refuse("file", f"its header must list at most {MAX_TENSORS:,} tensors", readable_bytes(len(data)), DAMAGED)
    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        header = None
    except ValueError as error:
        refuse("file", f"its header must be JSON: {str(error)[:120]}", data[:60].decode("utf-8", "replace"), DAMAGED)
    if not isinstance(header, dict):
        refuse("file", "its header must be one flat JSON object", data[:60].decode("utf-8", "replace"), DAMAGED)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        refuse("file", "__metadata__ of its header must map texts to texts", repr(metadata)[:80], DAMAGED)
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {twice[:60]!r} comes twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _entry(name: str, value: Any, data_bytes: int) -> tuple[TensorEntry, tuple[int, int]]:
    """One checked line of the header and its span (start, stop) among the values."""

    def wrong(rule: str, received: Any) -> NoReturn:
        refuse("file", f"tensor {name[:80]!r} of its header {rule}", repr(received)[:80], DAMAGED)

    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        wrong("must have dtype, shape and data_offsets", value)
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(code, str) or code not in TYPES:
        wrong(f"must have one of the types {', '.join(TYPES)}", code)
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        wrong("must have a shape of sizes that are not negative", shape)
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(place) is int for place in offsets):
        wrong("must have two whole data_offsets", offsets)
    start, stop = offsets
    if not 0 <= start <= stop <= data_bytes:
        wrong(f"must have data_offsets that ascend inside the {data_bytes:,} bytes of values", offsets)
    dtype, bits = TYPES[code]
    if math.prod(shape) * bits != 8 * (stop - start):
        wrong(
            f"has shape {shape} of {code}, {math.prod(shape) * bits // 8:,} bytes, which must fill data_offsets",
            offsets,
        )
    return TensorEntry(name, dtype, tuple(shape), stop - start), (start, stop)


def _check_cover(spans: dict[str, tuple[int, int]], data_bytes: int) -> None:
    """Each byte of the values belongs to exactly one tensor."""
    end, before = 0, ""
    for name, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if start < end:
            rule = f"tensors {before[:80]!r} and {name[:80]!r} must not overlap"
            refuse("file", rule, f"bytes {start:,} to {min(stop, end):,} belong to both", DAMAGED)
        if start > end:
            refuse(
                "file",
                "every byte of its values must belong to a tensor",
                f"bytes {end:,} to {start:,} do not",
                DAMAGED,
            )
        end, before = stop, name
    if end != data_bytes:
        refuse(
            "file",
            "every byte of its values must belong to a tensor",
            f"bytes {end:,} to {data_bytes:,} do not",
            DAMAGED,
        )
