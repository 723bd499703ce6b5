"""A chain of layers as the Reachability page edits it: rows of a table, repeated, and the same as a short text.

The text stands in the address: ``12~768x3072.4.it_3072x768.4.it`` is twelve times the two layers behind the ``~``;
``.g2`` after the variant is a grain of 2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frontend.logic.geometry import VARIANT_WORDS, Layer

__all__ = ["MAX_LAYERS", "PRESETS", "Chain", "from_records", "preset_of", "read_chain", "records", "write_chain"]

MAX_LAYERS = 48
"""Layers that the service takes; the page says so before it asks."""

LONGEST = 4000
_LAYER = re.compile(r"(\d{1,9})x(\d{1,9})\.(\d{1,9})\.([a-z]{2})(?:\.g(\d{1,9}))?")


@dataclass(frozen=True)
class Chain:
    """Layers that are repeated as a whole ``times`` times."""

    unit: tuple[Layer, ...]
    times: int = 1

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, one after another."""
        return self.unit * self.times

    @property
    def depth(self) -> int:
        """How many layers."""
        return len(self.unit) * self.times

    def first(self, depth: int) -> tuple[Layer, ...]:
        """The first ``depth`` layers."""
        return self.layers[:depth]

    def with_every(self, **fields: Any) -> Chain:
        """Return the chain with these fields in every layer."""
        return Chain(tuple(replace(layer, **fields) for layer in self.unit), self.times)

    def common(self, field: str) -> Any:
        """Return what every layer has in ``field``, None where they differ."""
        values = {getattr(layer, field) for layer in self.unit}
        return values.pop() if len(values) == 1 else None

    def duplicated(self, index: int) -> Chain:
        """Return the chain with layer ``index`` of the unit twice."""
        return Chain((*self.unit[: index + 1], *self.unit[index:]), self.times)

    def removed(self, index: int) -> Chain:
        """Return the chain without layer ``index`` of the unit; the last one stays."""
        unit = (*self.unit[:index], *self.unit[index + 1 :])
        return Chain(unit or self.unit, self.times)

    def extended(self) -> Chain:
        """Return the chain with one more layer that takes what the last one gives, and goes back to what that took."""
        last = self.unit[-1]
        return Chain(
            (*self.unit, replace(last, in_features=last.out_features, out_features=last.in_features)), self.times
        )

    def stacked(self, depth: int) -> Chain:
        """Return about ``depth`` layers of this chain, on the way back too where it does not end as wide as it begins."""
        square = self.unit[0].in_features == self.unit[-1].out_features
        unit = self if square else self.extended()
        return Chain(unit.unit, max(1, depth // len(unit.unit)))

    @property
    def words(self) -> str:
        """The sizes in words: ``12 × [768 → 3072 → 768]``; single steps where the layers do not follow each other."""
        unit = self.unit
        if all(before.out_features == after.in_features for before, after in zip(unit, unit[1:], strict=False)):
            sizes = [unit[0].in_features, *(layer.out_features for layer in unit)]
            text = " → ".join(str(size) for size in (sizes if len(sizes) <= 6 else [*sizes[:3], "…", *sizes[-2:]]))
        else:
            text = ", ".join(f"{layer.in_features} → {layer.out_features}" for layer in unit[:4])
            text += ", …" if len(unit) > 4 else ""
        return text if self.times == 1 else f"{self.times} × [{text}]"


def _pair(width: int, hidden: int) -> tuple[Layer, ...]:
    return Layer(width, hidden), Layer(hidden, width)


PRESETS: dict[str, Chain] = {
    "one feed-forward": Chain(_pair(768, 3072)),
    "OPT-125m stack": Chain(_pair(768, 3072), 12),
    "square stack": Chain((Layer(768, 768),), 12),
}
"""Chains that people know; n, variant and grain are the defaults of a layer."""


def preset_of(chain: Chain) -> str | None:
    """Return the name of the preset with these sizes, whatever its n, variant and grain."""

    def sizes(some: Chain) -> tuple[list[tuple[int, int]], int]:
        return [(layer.in_features, layer.out_features) for layer in some.unit], some.times

    return next((name for name, preset in PRESETS.items() if sizes(preset) == sizes(chain)), None)


def records(chain: Chain) -> list[dict[str, Any]]:
    """Return one record per layer of the unit, for the table."""
    return [dict(layer.to_json()) for layer in chain.unit]


def from_records(rows: Sequence[Mapping[str, Any]], times: int) -> Chain:
    """Return the chain of a table; what is missing in a row is taken from the row before, so that a new row fits.

    A new row takes what the row before gives; values are otherwise passed on as they are, for the service to judge.
    """
    unit: list[Layer] = []
    for row in rows:
        before = unit[-1] if unit else Layer(768, 3072)
        known = {name: value for name, value in row.items() if not _missing(value)}
        unit.append(
            Layer(
                int(known.get("in_features", before.out_features if unit else before.in_features)),
                int(known.get("out_features", before.in_features if unit else before.out_features)),
                int(known.get("n_blocks", before.n_blocks)),
                str(known.get("variant", before.variant)),
                int(known.get("grain", before.grain)),
            )
        )
    return Chain(tuple(unit) or (Layer(768, 3072),), times)


def _missing(value: object) -> bool:
    """A cell nobody has filled: None, or the NaN of a table of numbers."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def write_chain(chain: Chain) -> str:
    """Return the text that :func:`read_chain` turns back into ``chain``."""
    unit = "_".join(
        f"{layer.in_features}x{layer.out_features}.{layer.n_blocks}.{layer.variant}"
        + (f".g{layer.grain}" if layer.grain != 1 else "")
        for layer in chain.unit
    )
    return unit if chain.times == 1 else f"{chain.times}~{unit}"


def read_chain(text: str | None) -> Chain | None:
    """Return the chain of a text, None where it is not one: an address is typed and shortened by people."""
    if not text or len(text) > LONGEST:
        return None
    times, tilde, unit = text.rpartition("~")
    if tilde and not (times.isascii() and times.isdigit() and len(times) <= 3 and int(times) >= 1):
        return None
    layers = []
    for part in unit.split("_"):
        found = _LAYER.fullmatch(part)
        if found is None or found[4] not in VARIANT_WORDS:
            return None
        layers.append(Layer(int(found[1]), int(found[2]), int(found[3]), found[4], int(found[5] or 1)))
    return Chain(tuple(layers), int(times) if tilde else 1)
