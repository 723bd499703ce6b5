"""Cold caches: the last-level cache is overwritten before every call, outside of the timed part.

What a layer meets after the rest of a network has run. ``decode`` answers a like question by rotating copies of the
weights; a flush also evicts the activations.
"""

from __future__ import annotations

import torch

from dyad_core.bench.rotation import cache_bytes
from dyad_core.bench.timer import Call, Clock

__all__ = ["FlushedClock"]

TIMES_THE_CACHE = 2


class FlushedClock:
    """A clock that flushes before each call and times the calls one by one."""

    def __init__(self, clock: Clock, device: torch.device) -> None:
        """Flush ``device`` around the calls that ``clock`` times."""
        self.clock = clock
        self.buffer = torch.zeros(TIMES_THE_CACHE * cache_bytes(device), dtype=torch.uint8, device=device)

    def seconds(self) -> float:
        """Wall-clock seconds, flushing included: they count against the budget."""
        return self.clock.seconds()

    def sample_ms(self, call: Call, calls: int) -> float:
        """Milliseconds per call, each after a flush of its own."""
        total = 0.0
        for _ in range(calls):
            self.buffer.add_(1)
            total += self.clock.sample_ms(call, 1)
        return total / calls
