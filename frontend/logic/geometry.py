"""The structure of one layer as the controls hold it, and which group a feature is in.

The dashboard speaks HTTP only, so the two rules it needs for hover texts (group and position of a feature) are written
here once more; a test holds them against the library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frontend.schemas import GeometryJson

__all__ = ["VARIANT_WORDS", "Layer", "Side", "chain", "overview_cells"]

VARIANT_WORDS = {
    "it": "input transpose: BLOCKTRANS deals the inputs round its blocks",
    "ot": "output transpose: BLOCKTRANS deals the outputs round its blocks",
    "dt": "double transpose: BLOCKTRANS deals both sides round its blocks",
    "bd": "BLOCKDIAG alone, an ablation: no second component",
}

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """How one side (inputs or outputs) falls into the n groups of BLOCKTRANS; ``run`` neighbours move together."""

    features: int
    n_blocks: int
    run: int

    @property
    def block(self) -> int:
        """Features of one group."""
        return self.features // self.n_blocks

    def group(self, index: IntArray) -> IntArray:
        """BLOCKTRANS group of each feature."""
        return (index // self.run) % self.n_blocks

    def position(self, index: IntArray) -> IntArray:
        """Position of each feature inside its group."""
        cycle = self.run * self.n_blocks
        return (index // cycle) * self.run + index % self.run


@dataclass(frozen=True)
class Layer:
    """Sizes and structure as the controls hold them; the service judges whether they fit together."""

    in_features: int
    out_features: int
    n_blocks: int = 4
    variant: str = "it"
    grain: int = 1

    def to_json(self) -> GeometryJson:
        """Return the five fields as the service takes them."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "n_blocks": self.n_blocks,
            "variant": self.variant,
            "grain": self.grain,
        }

    @classmethod
    def from_json(cls, geometry: GeometryJson) -> Layer:
        """Read the five fields; derived ones are ignored."""
        return cls(
            geometry["in_features"],
            geometry["out_features"],
            geometry["n_blocks"],
            geometry["variant"],
            geometry["grain"],
        )

    @property
    def parameters(self) -> int:
        """Stored weights without bias: 2/n of dense, 1/n for BLOCKDIAG alone."""
        return self.in_features * self.out_features * (1 if self.variant == "bd" else 2) // self.n_blocks

    @property
    def inputs(self) -> Side:
        """Grouping of the inputs: dealt in runs of ``grain`` for it and dt, neighbours otherwise."""
        dealt = self.variant in ("it", "dt")
        return Side(self.in_features, self.n_blocks, self.grain if dealt else self.in_features // self.n_blocks)

    @property
    def outputs(self) -> Side:
        """Grouping of the outputs: dealt in runs of ``grain`` for ot and dt, neighbours otherwise."""
        dealt = self.variant in ("ot", "dt")
        return Side(self.out_features, self.n_blocks, self.grain if dealt else self.out_features // self.n_blocks)

    def meeting_blocks(self, feature: int, output: int) -> list[tuple[str, int]]:
        """Return the blocks, component and number, through which one layer joins input ``feature`` to ``output``."""
        found = []
        if feature // self.inputs.block == output // self.outputs.block:
            found.append(("blockdiag", feature // self.inputs.block))
        group = int(self.inputs.group(np.array(feature)))
        if self.variant != "bd" and group == int(self.outputs.group(np.array(output))):
            found.append(("blocktrans", group))
        return found

    def corner(self, size: int = 48) -> tuple[int, int, int, int]:
        """Return the window (out_start, out_stop, in_start, in_stop) round the first block corner.

        It is the place where all that can happen is seen at once: two diagonal blocks, the space between
        them and both components.
        """
        outs = _around(self.out_features // max(1, self.n_blocks), self.out_features, size)
        ins = _around(self.in_features // max(1, self.n_blocks), self.in_features, size)
        return (*outs, *ins)


def _around(centre: int, features: int, size: int) -> tuple[int, int]:
    size = min(size, features)
    start = min(max(0, centre - size // 2), features - size)
    return start, start + size


def chain(layer: Layer, depth: int, *, back_variant: str | None = None) -> list[Layer]:
    """Return ``depth`` layers that fit after one another: the layer and, when it is not square, its way back.

    The way back swaps the sizes and keeps n and grain; its variant is ``back_variant`` or the layer's own.
    """
    back = Layer(layer.out_features, layer.in_features, layer.n_blocks, back_variant or layer.variant, layer.grain)
    return [layer if step % 2 == 0 else back for step in range(depth)]


def overview_cells(layer: Layer, largest: int = 128, smallest: int = 64) -> int:
    """Return how many cells a side to ask for, so that a reduced picture shows no stripes of its own making.

    A cell that holds whole rounds of the interleave (n·grain features) looks the same everywhere in a block; a cell
    of any other width beats against it. Where no such width is near, take the finest picture. More cells than these
    are hardly seen, the close-up has them, and twice as many take the browser too long for a picture that follows a
    control within 300 ms.
    """
    sides = (layer.inputs, layer.outputs)
    for cells in range(largest, smallest - 1, -1):
        if all(_whole_rounds(side, layer.n_blocks * layer.grain, cells) for side in sides):
            return cells
    return largest


def _whole_rounds(side: Side, cycle: int, cells: int) -> bool:
    width, rest = divmod(side.features, cells)
    dealt = side.run < side.block
    return rest == 0 and width > 0 and side.block % width == 0 and (not dealt or width % cycle == 0)
