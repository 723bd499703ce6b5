"""How large a geometry the structure answers take, and the sentence for one that is larger.

The limits were chosen by measured cost on two CPU cores, so that no request can hold the service: see
the comment on each number.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry

__all__ = [
    "MAX_CELLS",
    "MAX_FEATURES",
    "MAX_HUB_BLOCKS",
    "MAX_LAYERS",
    "MAX_PATTERN_BLOCKS",
    "check_size",
    "geometry_dict",
]

MAX_FEATURES = 2**20
"""Features on a side. Counts of pairs stay below 2**40, far inside the exact range of float64."""

MAX_PATTERN_BLOCKS = 1024
"""n of a picture: at 1024 it takes about 0.13 s, where 4096 would take 0.9 s and half a gigabyte."""

MAX_HUB_BLOCKS = 256
"""n of connectivity and reachability. 48 mixed layers at 256 take up to 1 s, at 128 0.12 s, at 64 0.02 s: the
cost of counting pairs grows with n⁴. The JSON of connectivity holds two n × n matrices."""

MAX_LAYERS = 48
"""Layers of a chain."""

MAX_CELLS = 512
"""Cells on a side of a picture: browsers draw no more than about this many squared without stalling."""


def check_size(geometry: DyadGeometry, max_blocks: int) -> list[Problem]:
    """Return one problem for each size of ``geometry`` above its limit; empty when all fit.

    Raises:
        SpecError: when ``geometry`` is not a :class:`DyadGeometry`.
    """
    if not isinstance(geometry, DyadGeometry):
        raise SpecError([Problem("geometry", "must be a DyadGeometry", geometry)])
    limits = {"in_features": MAX_FEATURES, "out_features": MAX_FEATURES, "n_blocks": max_blocks}
    return [
        Problem(name, f"must be at most {largest} for this answer, which stays quick up to there", value)
        for name, largest in limits.items()
        if (value := getattr(geometry, name)) > largest
    ]


def geometry_dict(geometry: DyadGeometry) -> dict[str, Any]:
    """The fields of a geometry and its two block sizes, JSON-ready."""
    return {**asdict(geometry), "block_in": geometry.block_in, "block_out": geometry.block_out}
