"""The locality curve as multiples of the mean over all pairs, whether its numbers are exact or logarithms."""

from __future__ import annotations

import math

from frontend.schemas_chain import LocalityJson

__all__ = ["ratio_label", "reading", "relative"]


def relative(curve: LocalityJson) -> dict[str, list[float]]:
    """Return ``min``, ``mean`` and ``max`` at each distance over the mean of all pairs."""
    scale = _mean_of_all(curve)

    def over(value: float | None) -> float:
        if value is None:
            return 0.0
        return 10 ** (value - scale) if curve["logarithmic"] else value / scale

    return {
        "min": [over(value) for value in curve["min"]],
        "mean": [over(value) for value in curve["mean"]],
        "max": [over(value) for value in curve["max"]],
    }


def _mean_of_all(curve: LocalityJson) -> float:
    """The mean over all pairs, a logarithm where the curve is; each distance weighs by its pairs."""
    total = sum(curve["pairs"])
    known = [(mean, pairs) for mean, pairs in zip(curve["mean"], curve["pairs"], strict=True) if mean is not None]
    if not curve["logarithmic"]:
        return sum(mean * pairs for mean, pairs in known) / total or 1.0
    largest = max((mean for mean, _ in known), default=0.0)
    return largest + math.log10(sum(10 ** (mean - largest) * pairs for mean, pairs in known) / total)


def ratio_label(ratio: float) -> str:
    """Write a multiple of the mean: ``1.32x``; one that rounds to 1 keeps what makes it differ."""
    if ratio == 0:
        return "0x"
    if abs(ratio - 1) < 0.005 and ratio != 1:
        return f"1x {'+' if ratio > 1 else '−'} {abs(ratio - 1):.1g}"
    return f"{ratio:.3g}x"


def reading(curve: LocalityJson) -> str:
    """Say whether near dimensions are favoured, in a sentence."""
    near = curve["near_over_mean"]
    if abs(near - 1) < 0.01:
        return f"Near and far are as good as alike here: a pair at distance 0 has {ratio_label(near)} the mean number of paths."
    if near > 1:
        return f"**Near dimensions are favoured:** a pair at distance 0 has **{ratio_label(near)}** the mean number of paths."
    return f"Near dimensions are not favoured: a pair at distance 0 has {ratio_label(near)} the mean number of paths."
