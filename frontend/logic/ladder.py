"""The ladder: all implementations of one weight side by side, parity first, then speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from frontend.logic import words
from frontend.logic.outcomes import outcome
from frontend.logic.rows import Row

__all__ = ["Weight", "every_implementation", "ladder_rows", "ladder_sentence", "weights_of"]


@dataclass(frozen=True, order=True)
class Weight:
    """One weight that several implementations compute."""

    n_blocks: int
    variant: str
    grain: int

    @property
    def label(self) -> str:
        """``IT n=4``, with its grain where that is not 1."""
        return f"{self.variant.upper()} n={self.n_blocks}" + ("" if self.grain == 1 else f" g={self.grain}")


def every_implementation(known: Mapping[str, str], device: str) -> list[str]:
    """Return the names for a ladder on a device; one whose summary says it needs an NVIDIA GPU is left out elsewhere."""
    on_gpu = device.startswith("cuda")
    return [name for name, summary in known.items() if on_gpu or "NVIDIA GPU" not in summary]


def weights_of(rows: Sequence[Row]) -> list[Weight]:
    """Return the weights of one pass that more than one implementation computed."""
    found: dict[Weight, int] = {}
    for row in rows:
        if row.n_blocks is not None and row.grain is not None:
            weight = Weight(row.n_blocks, row.variant, row.grain)
            found[weight] = found.get(weight, 0) + 1
    return [weight for weight, count in found.items() if count > 1]


def ladder_rows(rows: Sequence[Row], weight: Weight) -> list[Row]:
    """Return the rows of one weight with the agreement in their names: fastest first, those without a speed last."""
    own = [
        row for row in rows if (row.n_blocks, row.variant, row.grain) == (weight.n_blocks, weight.variant, weight.grain)
    ]
    own.sort(key=lambda row: (row.speedup is None, -(row.speedup or 0.0), row.implementation))
    return [replace(row, label=_label(row)) for row in own]


def _label(row: Row) -> str:
    chosen = " (auto)" if row.chosen_by_auto else ""
    if row.outcome == "incorrect":
        return f"{row.implementation}{chosen} ✗ wrong"
    if row.error is None:
        return f"{row.implementation}{chosen} {outcome(row.outcome).mark}"
    return f"{row.implementation}{chosen} ✓ {row.error:.0e}"


def ladder_sentence(rows: Sequence[Row], weight: Weight) -> str:
    """Say parity first, then which implementation is fastest and which one ``auto`` takes."""
    checked = [row for row in rows if row.error is not None]
    agree = [row for row in checked if row.outcome != "incorrect"]
    parts = [
        f"{len(agree)} of {words.plural(len(rows), 'implementation')} of {weight.label} agree with the oracle"
        + (f", the farthest within {max(row.error or 0.0 for row in agree):.1e} of its largest value" if agree else "")
    ]
    fast = [row for row in rows if row.speedup is not None]
    if fast:
        parts.append(
            f"highest is **{fast[0].implementation}** at {words.factor(fast[0].speedup)} of dense ({outcome(fast[0].outcome).word})"
        )
        auto = next((row for row in fast if row.chosen_by_auto), None)
        if auto is not None and auto is not fast[0]:
            parts.append(f"auto takes {auto.implementation} at {words.factor(auto.speedup)}")
        elif auto is not None:
            parts.append("and auto takes it")
    return "; ".join(parts).replace("; and", ", and") + "."
