"""Named suites: lists of requests as data. A new sweep is a new entry here, never a new script."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from dyad_core.bench.spec import BenchmarkSpec, Dtype, Module
from dyad_core.errors import Problem, SpecError

__all__ = ["MODELS", "SUITES", "suite"]

MODELS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        # model width and hidden width of the feed-forward layers, from the models' published configurations
        "OPT-125m": (768, 3072),
        "OPT-350m": (1024, 4096),
        "OPT-1.3B": (2048, 8192),
        "Pythia-160m": (768, 3072),
    }
)

CPU_TOKENS = 1024
CUDA_TOKENS = 8192
CPU_DTYPES: tuple[Dtype, ...] = ("float32",)  # 16-bit types are emulated on many processors
CUDA_DTYPES: tuple[Dtype, ...] = ("bfloat16", "float32")


def reference(device: str) -> list[BenchmarkSpec]:
    """First layer, second layer and whole feed-forward of well-known models, forward and training step, n = 4 and 8."""
    on_cpu = device == "cpu"
    return [
        BenchmarkSpec(
            *sizes,
            module=module,
            tokens=CPU_TOKENS if on_cpu else CUDA_TOKENS,
            n_blocks=(4, 8),
            variants=("it", "ot", "dt"),
            passes=("forward", "train_step"),
            dtype=dtype,
            device=device,
        )
        for dtype in (CPU_DTYPES if on_cpu else CUDA_DTYPES)
        for width, hidden in dict.fromkeys(MODELS.values())
        for module, sizes in layers(width, hidden)
    ]


def layers(width: int, hidden: int) -> list[tuple[Module, tuple[int, int]]]:
    """The layers of one feed-forward: fc1, fc2, and both with the activation between."""
    return [("linear", (width, hidden)), ("linear", (hidden, width)), ("feed_forward", (width, hidden))]


SUITES = MappingProxyType({"reference": reference})


def suite(name: str, device: str = "cpu", *, quick: bool = False) -> list[BenchmarkSpec]:
    """Return the requests of a suite.

    Args:
        name: one of :data:`SUITES`.
        device: where to measure; it also chooses dtypes and tokens.
        quick: a few seconds for the whole suite: small sizes and budgets, to try the path and not to compare.

    Raises:
        SpecError: for an unknown suite or a device name that is none.
    """
    if name not in SUITES:
        raise SpecError([Problem("suite", "must be a known suite", name, f"known: {', '.join(SUITES)}")])
    specs = SUITES[name](device)
    if not quick:
        return specs
    small = [
        dataclasses.replace(
            spec, in_features=spec.in_features // 16, out_features=spec.out_features // 16, tokens=64, max_seconds=0.5
        )
        for spec in specs[:3]
    ]
    return list(dict.fromkeys(small))
