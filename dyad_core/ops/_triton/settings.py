"""Tile sizes of the Triton kernel: a rule that always works, and measured tables that beat it.

A table is a JSON file that ``tune`` writes. ``$DYAD_TRITON_SETTINGS`` names one; else the packaged ``measured.json``
is read, if there is one. It serves the device it was measured on and no other.
"""

from __future__ import annotations

import functools
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

__all__ = ["CANDIDATES", "SETTINGS_VARIABLE", "Settings", "Shape", "Table", "default_settings", "settings_for", "table"]

SETTINGS_VARIABLE = "DYAD_TRITON_SETTINGS"
SCHEMA_VERSION = 1

# Tensor cores take tiles of 16; a cell of 16 fills one but moves 14 operations a byte through L2 (128 tokens wide),
# of 32 it moves 26, and two passes with full tiles 43 for two further passes over the output. Predicted, not measured.
SMALLEST_CELL = 32


@dataclass(frozen=True)
class Settings:
    """Tile of one program and how it is compiled; each ``block_`` is a power of two of at least 16."""

    block_m: int
    block_n: int
    block_k: int
    group_m: int
    warps: int
    stages: int


@dataclass(frozen=True)
class Shape:
    """What decides the tile.

    Attributes:
        tokens: rows of the input.
        columns: outputs of the largest cell.
        inner: input features of one component.
        cells: how many there are.
        transposed: whether weights are contiguous along outputs, as in an input gradient.
    """

    tokens: int
    columns: int
    inner: int
    cells: int
    transposed: bool = False

    def distance(self, other: Shape) -> float:
        """Sum of the logarithmic distances; a transposed weight counts as one doubling."""
        pairs = ((self.tokens, other.tokens), (self.columns, other.columns), (self.inner, other.inner))
        logarithmic = sum(abs(math.log2(ours / theirs)) for ours, theirs in (*pairs, (self.cells, other.cells)))
        return logarithmic + (self.transposed != other.transposed)


@dataclass(frozen=True)
class Table:
    """Measured settings of one device.

    Attributes:
        device: its name, as ``torch.cuda.get_device_name`` gives it.
        rows: dtype ("bfloat16", "tf32", …), shape and the settings that were fastest.
        smallest_cell: see :func:`dyad_core.ops._triton.plan.make_plan`.
    """

    device: str
    rows: tuple[tuple[str, Shape, Settings], ...]
    smallest_cell: int = SMALLEST_CELL

    def nearest(self, dtype: str, shape: Shape) -> Settings | None:
        """Return the settings of the nearest measured shape in this dtype."""
        of_dtype = [row for row in self.rows if row[0] == dtype]
        return min(of_dtype, key=lambda row: row[1].distance(shape))[2] if of_dtype else None


def power_of_two(number: int, smallest: int, largest: int) -> int:
    """The power of two at or above ``number``, within bounds that are powers of two."""
    return min(largest, max(smallest, 1 << (max(1, number) - 1).bit_length()))


def default_settings(shape: Shape, element_bytes: int) -> Settings:
    """Return settings that fit every GPU with 99 KiB of shared memory a program, from shape alone.

    Few tokens are bound by reading weights: small tiles make enough programs to keep every memory channel busy.
    """
    block_m = power_of_two(shape.tokens, 16, 128)
    widest = 32 if block_m <= 32 else 128
    block_n = power_of_two(shape.columns, 16, widest)
    if block_n > 32 and shape.columns % block_n and shape.columns % block_n <= block_n // 2:
        block_n //= 2  # the last tile would be at most half full
    block_k = power_of_two(shape.inner, 16, (128 if block_m <= 32 else 64) * 2 // max(2, element_bytes))
    large = block_m * block_n >= 128 * 128
    return Settings(block_m, block_n, block_k, group_m=8, warps=8 if large else 4, stages=3)


CANDIDATES = tuple(
    Settings(block_m, block_n, block_k, group_m=8, warps=warps, stages=stages)
    for block_m, block_n, block_k, warps, stages in (
        (16, 16, 128, 4, 4),
        (16, 32, 128, 4, 4),
        (16, 32, 256, 4, 3),
        (16, 64, 128, 4, 4),
        (32, 32, 128, 4, 4),
        (64, 16, 64, 4, 4),
        (64, 32, 64, 4, 4),
        (64, 64, 64, 4, 4),
        (64, 128, 64, 4, 4),
        (128, 16, 64, 4, 4),
        (128, 32, 64, 4, 4),
        (128, 64, 32, 4, 4),
        (128, 64, 64, 4, 3),
        (128, 128, 32, 8, 4),
        (128, 128, 64, 4, 3),
        (128, 128, 64, 8, 3),
        (128, 128, 64, 8, 4),
        (128, 256, 64, 8, 3),
        (256, 64, 64, 8, 3),
        (256, 128, 64, 8, 3),
    )
)


@functools.cache
def table(device: str) -> Table | None:
    """Return the table measured on a device of this name, or None."""
    path = Path(os.environ.get(SETTINGS_VARIABLE) or Path(__file__).with_name("measured.json"))
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content["schema_version"] > SCHEMA_VERSION:
        msg = f"{path} has schema version {content['schema_version']}, this version reads up to {SCHEMA_VERSION}"
        raise ValueError(msg)
    if content["device"] != device:
        return None
    rows = ((row["dtype"], Shape(**row["shape"]), Settings(**row["settings"])) for row in content["rows"])
    return Table(device, tuple(rows), content["smallest_cell"])


@functools.lru_cache(maxsize=4096)
def settings_for(device: str, dtype: str, element_bytes: int, shape: Shape) -> Settings:
    """Return the nearest measured settings, or the rule's; cached, so that a launch pays a dictionary look-up."""
    measured = table(device)
    found = measured.nearest(dtype, shape) if measured else None
    return found or default_settings(shape, element_bytes)


@functools.cache
def device_name(device: torch.device) -> str:
    """Name of the device; "cpu" for the interpreter."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
