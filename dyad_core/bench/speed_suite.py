"""The speed suite: which points are measured, side by side in one run each, and what that will cost.

Every point holds the dense twin, the original formulation in both layouts, each implementation of ours, BLOCKDIAG alone
and the peers, interleaved. The short list holds every point that has a target (:mod:`.speed_targets`) and takes half an
hour on two cores; the full grid goes on over several runs. Run ``make bench`` or ``dyad bench --suite speed``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from dyad_core.bench.candidates import DTYPES, plans
from dyad_core.bench.spec import Allocator, BenchmarkSpec, Dtype, Module, Pass
from dyad_core.bench.tuning import competitors
from dyad_core.geometry import VARIANTS
from dyad_core.ops.registry import AUTO

__all__ = ["Point", "cost_s", "full_grid", "points", "rate"]

WIDTHS, TOKENS, BLOCKS = (256, 512, 768, 1024, 2048, 4096), (1, 16, 512, 2048), (4, 8, 16)

DECODE_TOKENS = 16
"""Above it a forward no longer waits for its weights."""

ROUNDS = 12
"""Rounds to make room for; fewer where a round takes seconds, never under the engine's least."""

MOST_S, LEAST_S = 40.0, 5.0
"""Bounds of the timing budget of one point of the short list, in seconds."""

COMPARED_PASSES: tuple[Pass, ...] = ("forward", "train_step", "decode")
"""Each half of a backward alone is left to requests of one's own."""

# Seconds to start the process and to hold one candidate against the oracle, per weight of the dense matrix: measured on
# two cores. Samples shorter than 4 ms are repeated up to that.
START_S, CHECK_S, SAMPLE_S = 3.0, {"forward": 5e-8, "train_step": 1.8e-7, "decode": 5e-8}, 4e-3
# What candidates reach of the rate of one large product, all in all.
EFFICIENCY = 0.7
CUDA_RATE = 2e14


@dataclass(frozen=True)
class Point:
    """One request of the suite.

    Attributes:
        spec: the request.
        required: whether a target is stated for it, so that it is not left out to save time.
    """

    spec: BenchmarkSpec
    required: bool = True


def points(
    device: str = "cpu", *, quick: bool = False, allocator: Allocator = "default", more: tuple[str, ...] = ()
) -> list[Point]:
    """The short list.

    Args:
        device: where to measure; it also chooses dtypes and tokens.
        quick: three tiny points that try the path in seconds and compare nothing.
        allocator: how the measuring process keeps its memory, alike for both sides.
        more: implementations beside those that are always taken.
    """
    make = Maker(device, allocator, more)
    if quick:
        tries: tuple[tuple[Module, int], ...] = (("linear", 16), ("linear", 1), ("feed_forward", 16))
        return [Point(make(64, 256, tokens, "forward", seconds=0.3, module=module)) for module, tokens in tries]
    return cuda_points(make) if device != "cpu" else cpu_points(make)


def cpu_points(make: Maker) -> list[Point]:
    """Every point with a target, then what completes the picture."""
    wide = ((1024, 4096), (4096, 1024))
    small = ((256, 1024), (768, 3072), *wide)
    found = [Point(make(*sizes, tokens, "forward")) for tokens in (512, 1024, 2048) for sizes in wide]
    found += [Point(make(2048, 8192, 512, "forward", few=True))]
    found += [Point(make(*sizes, 512, "forward")) for sizes in ((768, 3072), (3072, 768))]
    found += [Point(make(*sizes, tokens, "decode")) for tokens in (1, 16) for sizes in small]
    found += [
        Point(make(1024, 4096, 512, "train_step", module="feed_forward")),
        Point(make(2048, 8192, 512, "train_step", module="feed_forward", few=True)),
    ]
    optional = [
        *(make(*sizes, tokens, "forward") for tokens in (1, 16) for sizes in ((768, 3072), (1024, 4096))),
        make(768, 3072, 512, "train_step", module="feed_forward"),
        *(make(*sizes, 512, "train_step") for sizes in wide),
        make(1024, 4096, 512, "forward", module="feed_forward"),
        *(make(width, 4 * width, 512, "forward", blocks=BLOCKS) for width in (256, 512)),
        *(make(256, 1024, tokens, "forward", dtype="bfloat16") for tokens in (16, 128)),
        make(8192, 2048, 512, "forward", few=True),
    ]
    return found + [Point(spec, required=False) for spec in optional]


def cuda_points(make: Maker) -> list[Point]:
    """The feed-forward training step in bfloat16 at many tokens, then single layers and few tokens."""
    found = [
        Point(make(width, 4 * width, 8192, "train_step", module="feed_forward")) for width in (768, 1024, 2048, 4096)
    ]
    optional = [
        make(width, 4 * width, tokens, "forward") for width in (768, 2048, 4096) for tokens in (1, 16, 512, 2048, 8192)
    ]
    optional += [make(4 * width, width, 8192, "forward") for width in (768, 2048, 4096)]
    return found + [Point(spec, required=False) for spec in optional]


def full_grid(device: str = "cpu", *, allocator: Allocator = "default", more: tuple[str, ...] = ()) -> list[Point]:
    """Every width, layer, number of tokens and pass, cheapest first."""
    make = Maker(device, allocator, more)
    tokens = TOKENS if device == "cpu" else (*TOKENS, 8192)
    layers: list[tuple[Module, bool]] = [("linear", False), ("linear", True), ("feed_forward", False)]
    specs = [
        make(4 * width if turned else width, width if turned else 4 * width, rows, pass_, module=module, blocks=BLOCKS)
        for width in WIDTHS
        for module, turned in layers
        for rows in tokens
        for pass_ in COMPARED_PASSES
        if pass_ != "decode" or rows <= DECODE_TOKENS
    ]
    return [Point(spec) for spec in sorted(specs, key=lambda spec: sum(work(spec)))]


@dataclass(frozen=True)
class Maker:
    """Makes requests that differ in sizes and pass alone."""

    device: str
    allocator: Allocator
    more: tuple[str, ...]

    def __call__(
        self,
        in_features: int,
        out_features: int,
        tokens: int,
        pass_: Pass,
        *,
        module: Module = "linear",
        blocks: tuple[int, ...] = (4, 8),
        dtype: Dtype | None = None,
        few: bool = False,
        seconds: float | None = None,
    ) -> BenchmarkSpec:
        """One request; ``few`` leaves out those of ours that auto does not take, where a round takes seconds."""
        chosen: Dtype = dtype or ("float32" if self.device == "cpu" else "bfloat16")
        ours = competitors(self.device, DTYPES[chosen])
        rivals = ("original", "original_feature_major")
        named = (AUTO, *rivals) if few else (AUTO, *ours, *rivals)
        return BenchmarkSpec(
            in_features,
            out_features,
            module=module,
            tokens=tokens,
            n_blocks=blocks,
            variants=VARIANTS,
            implementations=tuple(dict.fromkeys((*named, *self.more))),
            passes=(pass_,),
            dtype=chosen,
            device=self.device,
            peers=("low_rank", "monarch"),
            allocator=self.allocator,
            optimizer="none",  # a target of the layer, not of AdamW
            max_seconds=seconds or budget_s(module, in_features * out_features * tokens, len(named)),
        )


def budget_s(module: Module, work: int, implementations: int) -> float:
    """Timing budget by size: time for the wanted number of rounds at a modest rate, within the bounds.

    It depends on the request alone, so that equal points have equal identities on every machine.
    """
    products = 2 * work * (6 if module == "feed_forward" else 1)
    round_s = products * 3 * implementations / 1e11 + 0.2
    return round(min(MOST_S, max(LEAST_S, ROUNDS * round_s)), 1)


def work(spec: BenchmarkSpec) -> list[int]:
    """Floating-point operations of one call of every candidate."""
    (pass_,) = spec.passes
    return [plan.flops(spec, pass_) for plan in plans(spec) if not plan.unsupported]


def cost_s(spec: BenchmarkSpec, flops_per_s: float) -> float:
    """Seconds that a point will take, by its sizes: start, check, warm-up, rounds and the look at the memory."""
    (pass_,) = spec.passes
    calls = work(spec)
    round_s = sum(max(SAMPLE_S, flops / flops_per_s / EFFICIENCY) for flops in calls)
    weights = spec.in_features * spec.out_features * (2 if spec.module == "feed_forward" else 1)
    check_s = len(calls) * weights * CHECK_S[pass_] * (1.0 if spec.device == "cpu" else 0.05)
    warm_up_s = 2 * round_s + max(round_s, min(6 * round_s, 5.0, 0.2 * spec.max_seconds))
    rounds = max(5, min(30, int(spec.max_seconds / round_s)))
    return START_S + check_s + warm_up_s + (rounds + 1) * round_s


def rate(device: str) -> float:
    """Floating-point operations per second of one large dense product here; a guess on a GPU, which is not touched."""
    if device != "cpu":
        return CUDA_RATE
    left, right = torch.randn(512, 1024), torch.randn(1024, 2048)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return 2 * 512 * 1024 * 2048 / min(times)
