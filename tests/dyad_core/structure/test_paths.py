"""Reach by depth against products of materialised matrices, and the known values of the structure."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import reachability, stack
from dyad_core.structure.reach import reach_when_repeated, reached_pairs

from .oracle import chains, layers, reached_by_depth


def share(*chain: DyadGeometry) -> Fraction:
    last = reachability(chain).depths[-1]
    return Fraction(last.reached_pairs, last.total_pairs)


@settings(max_examples=150)
@given(chains())
def test_reached_pairs_equal_the_materialised_chain(chain: list[DyadGeometry]):
    answer = reachability(chain)
    expected = reached_by_depth(chain)
    assert [depth.reached_pairs for depth in answer.depths] == [int(reached.sum()) for reached in expected]
    full = [index for index, reached in enumerate(expected, start=1) if reached.all()]
    assert answer.first_full_depth == (full[0] if full else None)
    for depth, reached in zip(answer.depths, expected, strict=True):
        assert (depth.out_features, depth.in_features) == reached.shape
        assert depth.total_pairs == reached.size
        assert depth.full == reached.all()


@settings(max_examples=30)
@given(layers())
def test_a_repeated_chain_is_followed_to_its_end(layer: DyadGeometry):
    chain = (layer,) if layer.in_features == layer.out_features else (layer, layer.transposed)
    reach, depth = reach_when_repeated(chain)
    pairs = reached_pairs(reach, chain[0], chain[-1])
    # Boolean powers of d × d matrices are full within (d - 1)² + 1 of them or never; squaring gets there fast.
    once = reached_by_depth(list(chain))[-1].astype(np.float64)
    power, repetitions = once, 1
    while repetitions < (len(once) - 1) ** 2 + 1:
        power, repetitions = (power @ power > 0).astype(np.float64), 2 * repetitions
    assert (pairs == power.size) == bool(power.all())
    assert depth % len(chain) == 0


@pytest.mark.parametrize(("n", "expected"), [(4, Fraction(7, 16)), (8, Fraction(15, 64)), (16, Fraction(31, 256))])
@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
def test_one_layer_reaches_2n_minus_1_over_n_squared(n: int, variant: str, expected: Fraction):
    assert share(DyadGeometry(1024, 4096, n, variant)) == expected


@pytest.mark.parametrize("n", [4, 8, 16, 64])
@pytest.mark.parametrize("variants", [("it", "it"), ("ot", "ot"), ("dt", "dt"), ("ot", "it")])
def test_feed_forward_pairs_reach_everything(n: int, variants: tuple[str, str]):
    for width in (n * n, 3 * n * n):  # blocks of n features and of more
        pair = [DyadGeometry(width, 4 * width, n, variants[0]), DyadGeometry(4 * width, width, n, variants[1])]
        assert share(*pair) == 1
        assert reachability(pair).first_full_depth == 2


@pytest.mark.parametrize(("n", "expected"), [(4, Fraction(43, 64)), (8, Fraction(211, 512)), (16, Fraction(931, 4096))])
def test_it_followed_by_ot_leaves_holes(n: int, expected: Fraction):
    width = 4 * n * n
    assert share(DyadGeometry(width, 4 * width, n, "it"), DyadGeometry(4 * width, width, n, "ot")) == expected


@pytest.mark.parametrize(
    ("width", "n", "expected"),
    [(256, 32, Fraction(1, 4)), (64, 16, Fraction(1, 4)), (1024, 64, Fraction(1, 4)), (768, 48, Fraction(1, 3))],
)
def test_square_dt_splits_for_ever(width: int, n: int, expected: Fraction):
    assert share(*[DyadGeometry(width, width, n, "dt")] * 48) == expected
    for variant in ("it", "ot"):
        assert share(*[DyadGeometry(width, width, n, variant)] * 48) == 1


@pytest.mark.parametrize("n", [3, 4, 8])
def test_block_diagonal_alone_stays_at_one_nth(n: int):
    answer = reachability([DyadGeometry(48, 96, n, "bd"), DyadGeometry(96, 48, n, "bd")] * 6)
    assert {Fraction(depth.reached_pairs, depth.total_pairs) for depth in answer.depths} == {Fraction(1, n)}
    assert answer.first_full_depth is None


def test_the_widest_chain_is_counted_exactly():
    chain = [DyadGeometry(2**20, 2**20, 64, "it"), DyadGeometry(2**20, 2**20, 64, "ot")]
    # The share of IT→OT depends on n alone once n divides the block: count it at the smallest such width.
    small = reached_by_depth([DyadGeometry(64 * 4, 64 * 4, 4, "it"), DyadGeometry(64 * 4, 64 * 4, 4, "ot")])[-1]
    wide = [DyadGeometry(2**20, 2**20, 4, "it"), DyadGeometry(2**20, 2**20, 4, "ot")]
    assert reachability(wide).depths[-1].reached_pairs == int(small.sum()) * (2**20 // 256) ** 2
    assert reachability(chain).depths[-1].total_pairs == 2**40
    assert reachability([DyadGeometry(2**20, 2**20, 64, "dt")] * 48).first_full_depth == 2


def test_json_has_the_agreed_shape():
    pair = [DyadGeometry(96, 384), DyadGeometry(384, 96)]
    answer = json.loads(json.dumps(reachability(pair).to_dict()))
    assert answer == {
        "layers": [
            {"in_features": 96, "out_features": 384, "n_blocks": 4, "variant": "it", "grain": 1, "block_in": 24, "block_out": 96},
            {"in_features": 384, "out_features": 96, "n_blocks": 4, "variant": "it", "grain": 1, "block_in": 96, "block_out": 24},
        ],
        "depths": [
            {"depth": 1, "in_features": 96, "out_features": 384, "reached_pairs": 16128, "total_pairs": 36864,
             "reached_share": 0.4375, "full": False, "connected_parts": 1, "paths": None},
            {"depth": 2, "in_features": 96, "out_features": 96, "reached_pairs": 9216, "total_pairs": 9216,
             "reached_share": 1.0, "full": True, "connected_parts": 1, "paths": None},
        ],
        "first_full_depth": 2,
        "warnings": [],
    }  # fmt: skip


def test_layers_that_do_not_fit_are_named_with_what_would_fit():
    fits = DyadGeometry(96, 384)
    with pytest.raises(SpecError) as caught:
        reachability([fits, DyadGeometry(384, 96), DyadGeometry(48, 96), fits])
    (problem,) = caught.value.problems
    assert problem.field == "layers.2.in_features"
    assert problem.received == 48
    assert "out_features=96" in problem.rule
    assert "in_features=96" in problem.suggestion
    assert "out_features=48" in problem.suggestion


@pytest.mark.parametrize("count", [0, 49])
def test_too_few_or_too_many_layers_are_refused(count: int):
    with pytest.raises(SpecError, match="1 to 48 layers"):
        reachability([DyadGeometry(16, 16)] * count)


def test_layers_above_the_limits_or_of_another_kind_are_named():
    with pytest.raises(SpecError) as caught:
        reachability([DyadGeometry(1024, 1024), DyadGeometry(1024, 1024, 512), "it"])
    assert [problem.field for problem in caught.value.problems] == ["layers.1.n_blocks", "layers.2.geometry"]


def test_stack_repeats_square_layers_and_goes_to_and_fro_otherwise():
    square, wide = DyadGeometry(64, 64), DyadGeometry(64, 256, 8, "dt", 2)
    assert stack(square, 3) == (square, square, square)
    assert stack(wide, 3) == (wide, DyadGeometry(256, 64, 8, "dt", 2), wide)
    assert len(reachability(stack(wide, 48)).depths) == 48


def test_stack_says_when_there_is_no_way_back():
    one_way = DyadGeometry(24, 20, 4, grain=6)
    assert stack(one_way, 1) == (one_way,)
    with pytest.raises(SpecError, match="way back 20→24") as caught:
        stack(one_way, 2)
    assert caught.value.problems[0].field == "depth"


@pytest.mark.parametrize("depth", [0, 49, True, 2.0])
def test_depths_out_of_range_are_refused(depth: object):
    with pytest.raises(SpecError) as caught:
        stack(DyadGeometry(16, 16), depth)
    assert [problem.field for problem in caught.value.problems] == ["depth"]
