"""What a running sweep says about itself: how far it is, and every figure so far, small enough to be sent often."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dyad_core.sweep.results import SweepPoint

__all__ = ["OnProgress", "Stage", "SweepProgress", "rows_of"]

Stage = Literal["starting", "measuring", "finished"]

OnProgress = Callable[["SweepProgress"], None]
"""Called in the thread that waits for the sweep; an exception in it ends the sweep."""


@dataclass(frozen=True)
class SweepProgress:
    """State of a running sweep.

    Attributes:
        stage: what it does now.
        done: points that are measured or taken over.
        total: points that it expects to need in all; may rise and fall while the contour is found.
        fraction: of the whole, 0 to 1, never falling.
        message: one line for people.
        elapsed_s: seconds since the start.
        eta_s: seconds left, estimated, at most what is left of the budget.
        points: one row per figure: ``width``, ``out_features``, ``tokens``, ``n``, ``variant``, ``implementation``,
            ``pass``, ``speedup``, ``low``, ``high`` (four digits, or null) and ``outcome``.
    """

    stage: Stage
    done: int
    total: int
    fraction: float
    message: str
    elapsed_s: float
    eta_s: float | None = None
    points: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return dataclasses.asdict(self)


def rows_of(points: Sequence[SweepPoint]) -> tuple[dict[str, Any], ...]:
    """Every figure as a flat row."""
    return tuple(
        {
            "width": point.in_features,
            "out_features": point.out_features,
            "tokens": point.tokens,
            "n": figure.n_blocks,
            "variant": figure.variant,
            "implementation": figure.implementation,
            "pass": figure.pass_,
            "speedup": _short(figure.speedup),
            "low": _short(figure.speedup_low),
            "high": _short(figure.speedup_high),
            "outcome": figure.outcome,
        }
        for point in points
        for figure in point.figures
    )


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
