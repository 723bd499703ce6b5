"""What the tests of every implementation share: operands, application, and how many examples a slow one gets."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from hypothesis import Phase, settings

from dyad_core import DyadGeometry, dyad_linear
from dyad_core.ops import registry

# An implementation that compiles for each new geometry takes seconds where the others take milliseconds. The long form is
# tests/dyad_core/ops/test_many_examples.py, which sets the variable.
FEW_EXAMPLES = {"compiled": int(os.environ.get("FEW_EXAMPLES", "2"))}


def examples(implementation: str, usual: int) -> settings:
    """Hypothesis settings for one implementation: ``usual`` examples, or few and unshrunk where each is slow."""
    few = FEW_EXAMPLES.get(implementation)
    if few is None:
        return settings(max_examples=usual)
    return settings(max_examples=min(few, usual), phases=(Phase.explicit, Phase.reuse, Phase.generate))


def skip_where_unavailable(implementation: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> None:
    """Skip a test with the implementation's own reason where it does not run."""
    reason = registry.get(implementation).unavailable(torch.device(device), dtype)
    if reason is not None:
        pytest.skip(f"{implementation} on {device} in {dtype}: {reason}")


def operands(
    geometry: DyadGeometry, tokens: int, dtype: torch.dtype, *, bias: bool, seed: int = 0
) -> list[torch.Tensor | None]:
    """Leaves of a graph: input, weight_blockdiag, weight_blocktrans (None for bd), bias (None without)."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator, dtype=torch.float64) / geometry.block_in**0.5
        return values.to(dtype).requires_grad_()

    return [
        draw(tokens, geometry.in_features),
        draw(*geometry.weight_shape),
        None if geometry.variant == "bd" else draw(*geometry.weight_shape),
        draw(geometry.out_features) if bias else None,
    ]


def apply(implementation: str, geometry: DyadGeometry, tensors: list[Any]) -> torch.Tensor:
    """``dyad_linear`` of those operands."""
    return dyad_linear(*tensors, variant=geometry.variant, grain=geometry.grain, implementation=implementation)
