"""Changing the grain: the same dense matrix under a renaming inside the blocks, or an error where there is none."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dyad_core import DyadFeedForward, DyadGeometry, DyadLinear, SpecError
from dyad_core.geometry import VARIANTS
from dyad_core.ops import dense_weight
from dyad_core.surgery import convert_grain, feed_forward_to_grain, linear_to_grain


@st.composite
def fine_blocks(draw: st.DrawFn, variants: tuple[str, ...] = VARIANTS) -> tuple[DyadGeometry, int]:
    """A geometry whose blocks n·grain divides, and another grain of which the same is true."""
    n = draw(st.integers(1, 4))
    grain, other = draw(st.sampled_from((1, 2, 3, 4, 6))), draw(st.sampled_from((1, 2, 3, 4, 6)))
    unit = n * grain * other
    block_in, block_out = unit * draw(st.integers(1, 2)), unit * draw(st.integers(1, 2))
    return DyadGeometry(n * block_in, n * block_out, n, draw(st.sampled_from(variants)), grain), other


def weights(geometry: DyadGeometry) -> tuple[torch.Tensor, torch.Tensor | None]:
    first, second = torch.randn(2, *geometry.weight_shape, dtype=torch.float64)
    return first, None if geometry.variant == "bd" else second


@settings(max_examples=60)
@given(fine_blocks())
def test_the_dense_matrix_is_the_same_under_the_renaming(case: tuple[DyadGeometry, int]) -> None:
    old, grain = case
    blockdiag, blocktrans = weights(old)
    found = convert_grain(blockdiag, blocktrans, variant=old.variant, from_grain=old.grain, to_grain=grain)
    before = dense_weight(blockdiag, blocktrans, variant=old.variant, grain=old.grain)
    after = dense_weight(found.weight_blockdiag, found.weight_blocktrans, variant=old.variant, grain=grain)
    assert torch.equal(after, before[found.output_order][:, found.input_order])
    for order, block in ((found.input_order, old.block_in), (found.output_order, old.block_out)):
        assert torch.equal(order.sort().values, torch.arange(len(order)))
        assert torch.equal(order // block, torch.arange(len(order)) // block), "renamed inside the blocks alone"
    back = convert_grain(
        found.weight_blockdiag, found.weight_blocktrans, variant=old.variant, from_grain=grain, to_grain=old.grain
    )
    assert torch.equal(back.weight_blockdiag, blockdiag)
    assert torch.equal(back.input_order[found.input_order], torch.arange(old.in_features))


@settings(max_examples=30)
@given(fine_blocks())
def test_a_grain_that_fits_the_block_is_the_papers_structure(case: tuple[DyadGeometry, int]) -> None:
    coarse, _ = case
    paper = DyadGeometry(coarse.in_features, coarse.out_features, coarse.n_blocks, coarse.variant, 1)
    found = convert_grain(*weights(paper), variant=paper.variant, from_grain=1, to_grain=coarse.grain)
    # Weights of one: 1 where one component lies, 2 where both do.
    ones = torch.ones(paper.weight_shape), None if paper.variant == "bd" else torch.ones(paper.weight_shape)
    before, after = (dense_weight(*ones, variant=one.variant, grain=one.grain) for one in (paper, coarse))
    assert torch.equal(after, before[found.output_order][:, found.input_order])
    assert (paper.positions, paper.shared_positions) == (coarse.positions, coarse.shared_positions)


@settings(max_examples=30)
@given(fine_blocks(), st.booleans())
def test_a_layer_computes_the_same(case: tuple[DyadGeometry, int], bias: bool) -> None:
    old, grain = case
    layer = DyadLinear(
        old.in_features,
        old.out_features,
        bias,
        dtype=torch.float64,
        n_blocks=old.n_blocks,
        variant=old.variant,
        grain=old.grain,
    )
    found = linear_to_grain(layer, grain)
    assert isinstance(found.module, DyadLinear)
    assert found.module.geometry == DyadGeometry(old.in_features, old.out_features, old.n_blocks, old.variant, grain)
    x = torch.randn(3, old.in_features, dtype=torch.float64)
    torch.testing.assert_close(found.module(x[:, found.input_order]), layer(x)[:, found.output_order])
    identity = torch.arange(old.in_features), torch.arange(old.out_features)
    if old.variant not in ("it", "dt"):
        assert torch.equal(found.input_order, identity[0])
    if old.variant not in ("ot", "dt"):
        assert torch.equal(found.output_order, identity[1])


@pytest.mark.parametrize(
    "variant", [("it", "it"), ("ot", "ot"), ("dt", "dt"), ("ot", "it"), ("it", "ot"), ("bd", "bd")]
)
@pytest.mark.parametrize(("grain", "other"), [(1, 4), (4, 1), (2, 4)])
def test_a_feed_forward_computes_the_same(variant: tuple[str, str], grain: int, other: int) -> None:
    module = DyadFeedForward(32, 128, n_blocks=2, variant=variant, grain=grain, activation="gelu", dtype=torch.float64)
    found = feed_forward_to_grain(module, other)
    assert isinstance(found.module, DyadFeedForward)
    assert {found.module.fc1.grain, found.module.fc2.grain} == {other}
    x = torch.randn(5, 32, dtype=torch.float64)
    torch.testing.assert_close(found.module(x[:, found.input_order]), module(x)[:, found.output_order])
    if variant == ("ot", "it"):
        torch.testing.assert_close(found.module(x), module(x))


def test_what_a_layer_is_carries_over() -> None:
    layer = DyadLinear(16, 16, n_blocks=2, variant="dt", dtype=torch.bfloat16, init="variance_preserving").eval()
    assert layer.bias is not None
    layer.bias.requires_grad_(False)
    found = linear_to_grain(layer, 4).module
    assert isinstance(found, DyadLinear)
    assert (found.init, found.training, found.weight_blockdiag.dtype) == ("variance_preserving", False, torch.bfloat16)
    assert found.weight_blocktrans is not None
    assert found.bias is not None
    assert found.weight_blocktrans.requires_grad
    assert not found.bias.requires_grad
    before = layer.weight_blockdiag.clone()
    nn.init.zeros_(found.weight_blockdiag)
    assert torch.equal(layer.weight_blockdiag, before)


def test_grains_of_different_structure_are_refused() -> None:
    # n = 4 and blocks of 4: grain 1 gives every block one feature of each group, grain 4 all features of one group.
    layer = DyadLinear(16, 16, n_blocks=4)
    with pytest.raises(SpecError, match=r"grain: must be the same structure as grain 1 .* block size 4 .*received 4"):
        linear_to_grain(layer, 4)
    with pytest.raises(SpecError, match=r"n_blocks·grain must divide in_features=16"):
        linear_to_grain(layer, 3)
