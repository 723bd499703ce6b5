"""Numbers of paths: exact whole numbers or decimal logarithms, on one logarithmic axis that also holds "none".

An axis of its own: no path lies at 0, one path a gap above it, and then the decimal logarithm, so that pairs without a
path are seen beside the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from frontend.logic import words
from frontend.schemas_chain import NumberJson

__all__ = ["count_log10", "count_ticks", "count_words", "gap_of", "number_words", "power_words"]


def gap_of(highest: float) -> float:
    """Return the place of one path on an axis whose largest decimal logarithm is ``highest``."""
    return max(1.0, 0.1 * highest)


def power_words(log10: float | None) -> str:
    """Write a number by its decimal logarithm: ``2.3 · 10⁶⁶``; small ones in full."""
    if log10 is None or log10 == -math.inf:
        return "none"
    if log10 < 6:
        number = 10**log10
        return f"{number:.4g}" if number < 1000 else words.count(number)
    power = math.floor(log10 + 1e-12)
    return f"{10 ** (log10 - power):.2f} · 10{_raised(power)}"


def number_words(number: NumberJson) -> str:
    """Write a whole number of any size: in full where readers of JSON keep it, else as a power of ten."""
    return words.count(number["count"]) if number["count"] is not None else power_words(number["log10"])


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def count_log10(paths: Mapping[str, Any] | None, name: str) -> float | None:
    """Return the decimal logarithm of ``min``, ``median``, ``max`` or ``mean``; minus infinity for no path, None when not known."""
    if paths is None:
        return None
    value = paths[name]
    if value is None:
        return -math.inf
    if paths["logarithmic"]:
        return float(value)
    return math.log10(value) if value > 0 else -math.inf


def count_words(paths: Mapping[str, Any] | None, name: str) -> str:
    """Write one number of a spread of paths, and that it came as a logarithm where it did."""
    if paths is None:
        return "not known"
    value = paths[name]
    if paths["logarithmic"]:
        return power_words(value) + ("" if value is None else " (from its logarithm)")
    return (
        "none"
        if not value
        else f"{value:,.6g}".replace(",", "\u202f")
        if value < 10**9
        else power_words(math.log10(value))
    )


def count_ticks(highest: float) -> dict[str, Any]:
    """Return the ticks of the axis up to the decimal logarithm ``highest``: none, 1, and even powers of ten."""
    gap = gap_of(highest)
    decades = max(1, math.ceil(highest))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if decades / step <= 6)
    powers = list(range(0, decades + 1, step))
    texts = ["1" if power == 0 else "10" if power == 1 else f"10{_raised(power)}" for power in powers]
    return {
        "tickvals": [0.0, *(gap + power for power in powers)],
        "ticktext": ["none ", *(f"{text} " for text in texts)],
    }
