"""The running count of one forward: FLOPs, saved bytes and cached bytes by the module that caused them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["BlockCost", "Tally"]


@dataclass(frozen=True)
class BlockCost:
    """What one run of a block added; names are relative to the block, the empty one is the block itself."""

    flops: Counter[str]
    saved_bytes: Counter[str]
    cache_bytes: int
    input_bytes: int
    """Of the hidden states it is given: all that gradient checkpointing keeps of it."""


@dataclass
class Tally:
    """Counts by dotted name of the innermost module that was running."""

    flops: Counter[str] = field(default_factory=Counter)
    saved_bytes: Counter[str] = field(default_factory=Counter)
    cache_bytes: int = 0
    blocks: list[BlockCost] = field(default_factory=list)
    """One entry per block, the repeated ones too."""
    cached: Callable[[], int] = lambda: 0
    """Bytes that the key-value cache holds now."""
    _running: list[str] = field(default_factory=lambda: [""])

    def enter(self, name: str) -> None:
        """The module of this name starts."""
        self._running.append(name)

    def leave(self) -> None:
        """It ends."""
        self._running.pop()

    def add_flops(self, flops: int) -> None:
        """Count FLOPs of the running module."""
        self.flops[self._running[-1]] += flops

    def add_saved(self, saved_bytes: int) -> None:
        """Count bytes that the running module keeps for backward."""
        self.saved_bytes[self._running[-1]] += saved_bytes

    def mark(self) -> Tally:
        """Where the count stands."""
        return Tally(Counter(self.flops), Counter(self.saved_bytes), self.cached())

    def since(self, before: Tally, name: str, input_bytes: int) -> BlockCost:
        """What the block of this name has added since a mark; it is entered as one block."""
        cost = BlockCost(
            _inside(self.flops - before.flops, name),
            _inside(self.saved_bytes - before.saved_bytes, name),
            self.cached() - before.cache_bytes,
            input_bytes,
        )
        self.cache_bytes += cost.cache_bytes
        self.blocks.append(cost)
        return cost

    def repeat(self, cost: BlockCost, name: str) -> None:
        """Count a block that was not run as one like it."""
        for mine, its in ((self.flops, cost.flops), (self.saved_bytes, cost.saved_bytes)):
            for inner, value in its.items():
                mine[f"{name}.{inner}" if inner else name] += value
        self.cache_bytes += cost.cache_bytes
        self.blocks.append(cost)


def _inside(found: Counter[str], name: str) -> Counter[str]:
    return Counter({inner.removeprefix(name).removeprefix("."): value for inner, value in found.items()})
