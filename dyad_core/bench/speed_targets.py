"""The speed that a DYAD must reach, as data: each target says for which points it holds, and how much it asks for.

On a CPU a target is a share of the limit n/2, on a GPU a speed-up. A target is an aim of development, never a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dyad_core.bench.results import Candidate, Environment
from dyad_core.bench.spec import BenchmarkSpec, Pass

__all__ = ["TARGETS", "Target", "target_of"]


@dataclass(frozen=True)
class Target:
    """One aim.

    Attributes:
        name: what it is about, for people.
        wanted: least value by n.
        holds: whether it is stated for a request, at one n.
        quantity: ``share`` of the limit, or ``speedup`` over dense.
        device: whose figures it is about, part of the device's name; empty for any of the kind.
    """

    name: str
    wanted: dict[int, float]
    holds: Callable[[BenchmarkSpec], bool]
    quantity: str = "share"
    device: str = ""

    def value(self, candidate: Candidate) -> float | None:
        """What a candidate reached; None without a speed."""
        return candidate.share_of_limit if self.quantity == "share" else candidate.speedup


def _cpu_layer(spec: BenchmarkSpec, pass_: Pass = "forward") -> bool:
    is_layer = spec.module == "linear" and spec.passes == (pass_,)
    return is_layer and spec.device == "cpu" and spec.dtype == "float32"


def _width(spec: BenchmarkSpec) -> int:
    return min(spec.in_features, spec.out_features)


def _cpu_step(spec: BenchmarkSpec) -> bool:
    is_step = spec.module == "feed_forward" and spec.passes == ("train_step",)
    return is_step and spec.device == "cpu" and spec.dtype == "float32"


def _gpu_step(width: int) -> Callable[[BenchmarkSpec], bool]:
    def holds(spec: BenchmarkSpec) -> bool:
        is_step = spec.module == "feed_forward" and spec.passes == ("train_step",) and spec.dtype == "bfloat16"
        return is_step and spec.device != "cpu" and spec.in_features == width and spec.tokens >= 8192

    return holds


TARGETS = (
    Target(
        "CPU layer 4096→1024, 512 to 1024 tokens",
        {4: 0.85, 8: 0.7},
        lambda s: _cpu_layer(s) and (s.in_features, s.out_features) == (4096, 1024) and 512 <= s.tokens <= 1024,
    ),
    Target(
        "CPU layer of width ≥ 1024, 512 to 1024 tokens",
        {4: 0.9, 8: 0.8},
        lambda s: _cpu_layer(s) and _width(s) >= 1024 and 512 <= s.tokens <= 1024,
    ),
    Target(
        "CPU layer of width ≥ 1024, 2048 tokens",
        {4: 0.8, 8: 0.7},
        lambda s: _cpu_layer(s) and _width(s) >= 1024 and s.tokens == 2048,
    ),
    Target(
        "CPU layer of width 768",
        {4: 0.85, 8: 0.7},
        lambda s: _cpu_layer(s) and _width(s) == 768 and 512 <= s.tokens <= 1024,
    ),
    Target(
        "CPU layer, 1 to 16 tokens, weights from memory",
        {4: 0.8, 8: 0.8},
        lambda s: _cpu_layer(s, "decode") and _width(s) >= 768 and s.tokens <= 16,
    ),
    Target(
        "CPU feed-forward training step, width ≥ 1024, 512 tokens",
        {4: 0.95, 8: 0.9},
        lambda s: _cpu_step(s) and _width(s) >= 1024 and s.tokens == 512,
    ),
    *(
        Target(
            f"H200 feed-forward training step, bfloat16, width {width}, ≥ 8192 tokens",
            {4: at_4, 8: at_8},
            _gpu_step(width),
            quantity="speedup",
            device="H200",
        )
        for width, at_4, at_8 in ((4096, 1.8, 3.2), (2048, 1.6, 2.6), (768, 1.25, 1.5))
    ),
)
"""In order of precedence: the first that holds counts."""


def target_of(spec: BenchmarkSpec, environment: Environment, candidate: Candidate) -> tuple[Target, float] | None:
    """The target of a DYAD candidate and the value it asks for; None where none is stated."""
    if candidate.n_blocks is None or candidate.variant not in ("it", "ot", "dt"):
        return None
    for target in TARGETS:
        if target.holds(spec) and target.device in environment.device_name and candidate.n_blocks in target.wanted:
            return target, target.wanted[candidate.n_blocks]
    return None
