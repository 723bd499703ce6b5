"""The oracle against the definition of the structure, entry by entry in plain Python."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from strategies import geometries
from torch.nn import functional as F

from dyad_core import DyadGeometry
from dyad_core.ops import dense_weight, dyad_linear, project_dense


def group_and_position(index: int, size: int, n: int, grain: int, *, interleaved: bool) -> tuple[int, int]:
    """Group of a feature and its position inside, from the definition."""
    if interleaved:
        return (index // grain) % n, (index // (grain * n)) * grain + index % grain
    block = size // n
    return index // block, index % block


def entries(geometry: DyadGeometry):
    """Yield (component, output, input, block, row in block, column in block) of every stored weight."""
    n, grain, variant = geometry.n_blocks, geometry.grain, geometry.variant
    for o, i in itertools.product(range(geometry.out_features), range(geometry.in_features)):
        if o // geometry.block_out == i // geometry.block_in:
            yield "blockdiag", o, i, o // geometry.block_out, o % geometry.block_out, i % geometry.block_in
        if variant == "bd":
            continue
        out_group, p = group_and_position(o, geometry.out_features, n, grain, interleaved=variant in ("ot", "dt"))
        in_group, q = group_and_position(i, geometry.in_features, n, grain, interleaved=variant in ("it", "dt"))
        if out_group == in_group:
            yield "blocktrans", o, i, out_group, p, q


def random_weights(geometry: DyadGeometry, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(0)
    blockdiag = torch.randn(geometry.weight_shape, generator=generator, dtype=dtype)
    if geometry.variant == "bd":
        return blockdiag, None
    return blockdiag, torch.randn(geometry.weight_shape, generator=generator, dtype=dtype)


@given(geometries())
def test_dense_weight_is_the_definition(geometry: DyadGeometry) -> None:
    weights = dict(zip(("blockdiag", "blocktrans"), random_weights(geometry), strict=True))
    expected = torch.zeros(geometry.out_features, geometry.in_features, dtype=torch.float64)
    stored = 0
    for component, o, i, block, p, q in entries(geometry):
        expected[o, i] += weights[component][block, p, q]
        stored += 1
    dense = dense_weight(*weights.values(), variant=geometry.variant, grain=geometry.grain)
    torch.testing.assert_close(dense, expected, rtol=0, atol=0)
    assert stored == geometry.parameters


@given(geometries())
def test_counts_of_the_geometry_are_those_of_the_matrix(geometry: DyadGeometry) -> None:
    positions = {(o, i) for _, o, i, *_ in entries(geometry)}
    assert geometry.positions == len(positions)
    assert geometry.shared_positions == geometry.parameters - len(positions)


@given(geometries())
def test_projection_is_the_nearest_and_splits_half_and_half(geometry: DyadGeometry) -> None:
    dense = torch.randn(geometry.out_features, geometry.in_features, dtype=torch.float64)
    blockdiag, blocktrans = project_dense(dense, geometry)
    projected = dense_weight(blockdiag, blocktrans, variant=geometry.variant, grain=geometry.grain)
    inside = torch.zeros_like(dense, dtype=torch.bool)
    for _, o, i, *_ in entries(geometry):
        inside[o, i] = True
    # Keeping what is inside and zero elsewhere is the minimum: each entry of the pattern is free on its own.
    torch.testing.assert_close(projected, torch.where(inside, dense, 0.0), rtol=0, atol=0)
    holders: dict[tuple[int, int], list[float]] = {}
    for component, o, i, block, p, q in entries(geometry):
        weight = blockdiag if component == "blockdiag" else blocktrans
        holders.setdefault((o, i), []).append(weight[block, p, q].item())
    assert all(len(set(values)) == 1 for values in holders.values())


@pytest.mark.parametrize(("variant", "expected"), [("it", "ot"), ("ot", "it"), ("dt", "dt"), ("bd", "bd")])
def test_the_transpose_has_the_pattern_of_the_transposed_variant(variant: str, expected: str) -> None:
    geometry = DyadGeometry(24, 48, 4, variant, 2)
    assert geometry.transposed.variant == expected
    pattern = dense_weight(
        *[torch.ones(geometry.weight_shape)] * geometry.components,
        *[None] * (2 - geometry.components),
        variant=variant,
        grain=2,
    )
    other = geometry.transposed
    transposed = dense_weight(
        *[torch.ones(other.weight_shape)] * other.components,
        *[None] * (2 - other.components),
        variant=expected,
        grain=2,
    )
    torch.testing.assert_close(pattern.T, transposed)


def test_reference_is_linear_through_the_dense_weight() -> None:
    geometry = DyadGeometry(12, 24, 3, "dt")
    blockdiag, blocktrans = random_weights(geometry)
    x, bias = torch.randn(5, 12, dtype=torch.float64), torch.randn(24, dtype=torch.float64)
    result = dyad_linear(x, blockdiag, blocktrans, bias, variant="dt", implementation="reference")
    torch.testing.assert_close(result, F.linear(x, dense_weight(blockdiag, blocktrans, variant="dt"), bias))
