"""Measuring without time: clocks that say what they are told, and a request that is small."""

from __future__ import annotations

from random import Random

from dyad_core.bench import BenchmarkSpec

__all__ = ["SteadyClock", "UnevenClock", "small"]


class SteadyClock:
    """Makes each call once and says it took as long as its place among the candidates, in ms."""

    def __init__(self, unit_ms: float = 10.0) -> None:
        self.unit_ms, self.now_s = unit_ms, 0.0
        self.order: dict[object, int] = {}

    def seconds(self) -> float:
        return self.now_s

    def sample_ms(self, call: object, calls: int) -> float:
        call()
        place = self.order.setdefault(call, len(self.order) + 1)
        self.now_s += self.unit_ms * place * calls / 1000
        return self.unit_ms * place


class UnevenClock(SteadyClock):
    """Every sample takes up to twice as long, by chance, so that no interval ever gets narrow."""

    def __init__(self, unit_ms: float) -> None:
        super().__init__(unit_ms)
        self.random = Random(0)

    def sample_ms(self, call: object, calls: int) -> float:
        unit, self.unit_ms = self.unit_ms, self.unit_ms * (1.0 + self.random.random())
        try:
            return super().sample_ms(call, calls)
        finally:
            self.unit_ms = unit


def small(**changes: object) -> BenchmarkSpec:
    return BenchmarkSpec(**{"in_features": 24, "out_features": 48, "tokens": 16, "max_seconds": 9.5, **changes})
