"""The structure in words and formulas, with the numbers of one layer put in."""

from __future__ import annotations

from dyad_core.geometry import DyadGeometry, Side

__all__ = ["describe_group", "describe_runs", "formula", "percent"]


def formula(geometry: DyadGeometry) -> str:
    """When output o and input i are connected, for this layer.

    Example:
        >>> formula(DyadGeometry(768, 3072, n_blocks=4, variant="it"))
        'BLOCKDIAG connects output o to input i when o // 768 = i // 192; BLOCKTRANS when o // 768 = i mod 4'
    """
    text = f"BLOCKDIAG connects output o to input i when o // {geometry.block_out} = i // {geometry.block_in}"
    if geometry.variant == "bd":
        return f"{text}; bd has no BLOCKTRANS"
    return f"{text}; BLOCKTRANS when {_group('o', geometry.output_side)} = {_group('i', geometry.input_side)}"


def _group(index: str, side: Side) -> str:
    if not side.interleaved:
        return f"{index} // {side.block}"
    return f"{index} mod {side.n_blocks}" if side.run == 1 else f"({index} // {side.run}) mod {side.n_blocks}"


def describe_group(side: Side, group: int) -> str:
    """The features of one group: ``0–191``, ``every 4th from 1`` or ``runs of 2, every 8th from 2``."""
    return describe_runs(group * side.run, side.run, side.run * side.n_blocks, side.features)


def describe_runs(start: int, run: int, cycle: int, features: int) -> str:
    """``run`` features in each ``cycle`` of them, from ``start`` on: as :func:`describe_group`."""
    if run == cycle:
        return _span(0, features)
    if cycle == features:
        return _span(start, run)
    runs = "" if run == 1 else f"runs of {run}, "
    return f"{runs}every {_ordinal(cycle)} from {start}"


def _span(start: int, length: int) -> str:
    return str(start) if length == 1 else f"{start}–{start + length - 1}"


def _ordinal(number: int) -> str:
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def percent(part: int, whole: int) -> str:
    """A share as people read it; never rounded up to 100 % or down to 0 %."""
    share = 100 * part / whole
    for digits in (1, 2, 4):
        text = f"{share:.{digits}f}"
        if part in (0, whole) or 0 < float(text) < 100:
            return f"{text} %"
    return "more than 99.9999 %" if 2 * part > whole else "less than 0.0001 %"
