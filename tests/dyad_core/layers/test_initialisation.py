"""What both initialisations do to the variance, in one layer and through a deep stack."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dyad_core import DyadFeedForward, DyadLinear
from dyad_core.geometry import VARIANTS


def variance(layer: nn.Module, x: torch.Tensor) -> float:
    with torch.no_grad():
        return float(layer(x).var())


@pytest.mark.parametrize("sizes", [(512, 512), (256, 1024), (1024, 256)])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("n_blocks", [2, 4, 8])
def test_output_variance_of_both(variant: str, n_blocks: int, sizes: tuple[int, int]) -> None:
    # An output sums 2·in/n products of variance 1/(3·in), (1·in/n for bd): 2/n of the dense third (design fact).
    torch.manual_seed(0)
    x = torch.randn(2048, sizes[0])
    share = (1 if variant == "bd" else 2) / n_blocks
    dense = variance(nn.Linear(*sizes, bias=False), x)
    paper = variance(DyadLinear(*sizes, bias=False, n_blocks=n_blocks, variant=variant), x)
    kept = variance(DyadLinear(*sizes, bias=False, n_blocks=n_blocks, variant=variant, init="variance_preserving"), x)
    assert dense == pytest.approx(1 / 3, rel=0.05)
    assert paper / dense == pytest.approx(share, rel=0.05)
    assert kept / dense == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
def test_gradient_variance_has_the_same_shares(variant: str) -> None:
    torch.manual_seed(0)

    def gradient_variance(layer: nn.Module) -> float:
        x = torch.randn(1024, 512, requires_grad=True)
        (gradient,) = torch.autograd.grad(layer(x), x, torch.randn(1024, 512))
        return float(gradient.var())

    dense = gradient_variance(nn.Linear(512, 512))
    paper = gradient_variance(DyadLinear(512, 512, n_blocks=8, variant=variant))
    kept = gradient_variance(DyadLinear(512, 512, n_blocks=8, variant=variant, init="variance_preserving"))
    assert paper / dense == pytest.approx(2 / 8, rel=0.06)
    assert kept / dense == pytest.approx(1, rel=0.06)


def test_through_depth_the_paper_loses_its_share_in_every_layer() -> None:
    torch.manual_seed(0)
    x, depth, n = torch.randn(512, 512), 6, 4

    def stack(layer: object) -> float:
        return variance(nn.Sequential(*(layer() for _ in range(depth))), x)

    dense = stack(lambda: nn.Linear(512, 512, bias=False))
    paper = stack(lambda: DyadLinear(512, 512, bias=False, n_blocks=n))
    kept = stack(lambda: DyadLinear(512, 512, bias=False, n_blocks=n, init="variance_preserving"))
    assert math.log(paper / dense) == pytest.approx(depth * math.log(2 / n), rel=0.1)
    assert kept / dense == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("init", ["paper", "variance_preserving"])
def test_the_bias_starts_as_the_dense_twins_in_both(init: str) -> None:
    module = DyadFeedForward(64, 256, n_blocks=8, init=init)
    for layer in (module.fc1, module.fc2):
        assert layer.bias is not None
        bound = layer.in_features**-0.5
        assert 0.8 * bound < float(layer.bias.detach().abs().max()) <= bound
