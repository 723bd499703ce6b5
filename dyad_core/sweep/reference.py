"""Maps that ship with the library: sweeps of named machines, for people whose machine is another one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER"]

FOLDER = Path(__file__).parent / "reference_maps"
"""Sweep files; ``dyad sweep --save`` makes such a file."""
