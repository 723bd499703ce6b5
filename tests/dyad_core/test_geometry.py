"""The one place that knows the structure, against the index definition spelled out feature by feature."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import geometries

from dyad_core import DyadGeometry, SpecError
from dyad_core.geometry import (
    VARIANTS,
    Side,
    count_below,
    divisors,
    joint_counts,
    nearest,
    nearest_multiples,
    positive_integer,
)

INTERLEAVED = {"it": (True, False), "ot": (False, True), "dt": (True, True), "bd": (False, False)}
"""Whether inputs and whether outputs are interleaved."""


def group_and_position(feature: int, features: int, n: int, grain: int, *, interleaved: bool) -> tuple[int, int]:
    """Group of one feature and its position in it, as the definition has it."""
    if interleaved:
        return (feature // grain) % n, (feature // (grain * n)) * grain + feature % grain
    block = features // n
    return feature // block, feature % block


def positions_of(geometry: DyadGeometry) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Every (output, input) that BLOCKDIAG writes, and that BLOCKTRANS writes."""
    n, grain = geometry.n_blocks, geometry.grain
    input_interleaved, output_interleaved = INTERLEAVED[geometry.variant]
    diagonal, transposed = set(), set()
    for o in range(geometry.out_features):
        for i in range(geometry.in_features):
            if o // (geometry.out_features // n) == i // (geometry.in_features // n):
                diagonal.add((o, i))
            out_group, _ = group_and_position(o, geometry.out_features, n, grain, interleaved=output_interleaved)
            in_group, _ = group_and_position(i, geometry.in_features, n, grain, interleaved=input_interleaved)
            if geometry.variant != "bd" and out_group == in_group:
                transposed.add((o, i))
    return diagonal, transposed


@given(geometries())
def test_groups_and_positions_follow_the_definition(geometry: DyadGeometry):
    sides = (geometry.input_side, geometry.output_side)
    for side, interleaved in zip(sides, INTERLEAVED[geometry.variant], strict=True):
        assert side.interleaved == interleaved
        index = np.arange(side.features)
        expected = [
            group_and_position(f, side.features, geometry.n_blocks, geometry.grain, interleaved=interleaved)
            for f in range(side.features)
        ]
        assert list(zip(side.group(index).tolist(), side.position(index).tolist(), strict=True)) == expected


@given(geometries())
def test_members_invert_group_and_position(geometry: DyadGeometry):
    for side in (geometry.input_side, geometry.output_side):
        members = side.members()
        assert members.shape == (geometry.n_blocks, side.block)
        assert sorted(members.ravel().tolist()) == list(range(side.features))
        for group, row in enumerate(members):
            assert (side.group(row) == group).all()
            assert side.position(row).tolist() == list(range(side.block))


@given(geometries())
def test_costs_count_the_positions(geometry: DyadGeometry):
    diagonal, transposed = positions_of(geometry)
    assert (
        geometry.parameters == len(diagonal) + len(transposed) == geometry.components * math.prod(geometry.weight_shape)
    )
    assert geometry.shared_positions == len(diagonal & transposed)
    assert geometry.positions == len(diagonal | transposed)
    assert geometry.dense_parameters == geometry.in_features * geometry.out_features
    assert geometry.density == pytest.approx(geometry.positions / geometry.dense_parameters)
    assert geometry.limit == pytest.approx(geometry.dense_parameters / geometry.parameters)
    assert geometry.flops(7) == 14 * geometry.parameters
    assert geometry.dense_flops(7) == 14 * geometry.dense_parameters
    assert geometry.saves_nothing == (geometry.parameters >= geometry.dense_parameters)


@given(geometries())
def test_transposed_has_the_transposed_pattern(geometry: DyadGeometry):
    for mine, theirs in zip(positions_of(geometry), positions_of(geometry.transposed), strict=True):
        assert theirs == {(i, o) for o, i in mine}
    assert geometry.transposed.transposed == geometry


@given(geometries(), st.data())
def test_counts_below_count_every_feature(geometry: DyadGeometry, data: st.DataObject):
    for side in (geometry.input_side, geometry.output_side):
        edges = np.array(data.draw(st.lists(st.integers(0, side.features), max_size=5)), dtype=np.int64)
        groups = side.group(np.arange(side.features))
        expected = [[int((groups[:edge] == group).sum()) for group in range(side.n_blocks)] for edge in edges]
        assert count_below(side, edges).tolist() == expected
        blocks = np.arange(side.features) // side.block
        for block in range(side.n_blocks):
            for group in range(side.n_blocks):
                assert joint_counts(side)[block, group] == ((blocks == block) & (groups == group)).sum()


@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
@pytest.mark.parametrize(("n", "density"), [(4, 0.4375), (8, 15 / 64), (16, 31 / 256)])
def test_density_is_2n_minus_1_over_n_squared_when_n_divides_the_block(variant: str, n: int, density: float):
    for grain in (1, 2):
        geometry = DyadGeometry(1024, 4096, n, variant, grain)
        assert geometry.density == density
        assert geometry.shared_positions * 2 * n == geometry.parameters
        assert geometry.limit == n / 2


def test_counts_stay_exact_beyond_64_bits():
    # 2^74 positions: a sum in int64 would wrap round without a word.
    geometry = DyadGeometry(2**37, 2**37, 4, "dt")
    assert geometry.shared_positions == 2**74 // 16
    assert geometry.positions == 7 * 2**74 // 16
    assert geometry.density == 0.4375


def test_n_of_at_most_two_saves_nothing_and_is_allowed():
    assert [DyadGeometry(24, 24, n).saves_nothing for n in (1, 2, 3)] == [True, True, False]
    assert [DyadGeometry(24, 24, n, "bd").saves_nothing for n in (1, 2)] == [True, False]


def test_geometries_are_values():
    geometry = DyadGeometry(np.int64(768), 3072, np.int32(4))
    assert geometry == DyadGeometry(768, 3072, 4, "it", 1)
    assert hash(geometry) == hash(DyadGeometry(768, 3072))
    assert type(geometry.in_features) is int
    assert type(geometry.n_blocks) is int
    assert pickle.loads(pickle.dumps(geometry)) == geometry  # noqa: S301 (our own bytes)
    with pytest.raises(FrozenInstanceError):
        geometry.n_blocks = 8


@pytest.mark.parametrize("field", ["in_features", "out_features", "n_blocks", "grain"])
@pytest.mark.parametrize("value", [0, -4, 4.0, "4", None, True, float("nan"), [4]])
def test_sizes_must_be_positive_integers(field: str, value: object):
    with pytest.raises(SpecError) as caught:
        DyadGeometry(**{"in_features": 8, "out_features": 8, field: value})
    (problem,) = caught.value.problems
    assert problem.field == field
    assert problem.rule == "must be a positive integer"
    assert problem.received is value


def test_all_problems_are_reported_at_once():
    with pytest.raises(SpecError) as caught:
        DyadGeometry(0, -1, "four", "xt", 1.5)
    assert [problem.field for problem in caught.value.problems] == [
        "in_features", "out_features", "n_blocks", "grain", "variant",
    ]  # fmt: skip


@pytest.mark.parametrize("variant", ["IT", "", None, 3, [], "bdit"])
def test_unknown_variants_name_the_known(variant: object):
    with pytest.raises(SpecError, match="it, ot, dt, bd"):
        DyadGeometry(8, 8, 2, variant)


def suggested(text: str, what: str) -> list[int]:
    """The numbers that a suggestion lists after ``what``."""
    found = re.search(rf"{what}[^:]*: ([\d, ]+)", text)
    assert found is not None
    return [int(number) for number in found[1].split(",")]


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 40), st.sampled_from(VARIANTS))
def test_suggested_blocks_and_sizes_work(in_features: int, out_features: int, n: int, variant: str):
    assume(in_features % n or out_features % n)
    with pytest.raises(SpecError) as caught:
        DyadGeometry(in_features, out_features, n, variant)
    given_sizes = {"in_features": in_features, "out_features": out_features}
    assert [p.field for p in caught.value.problems] == [name for name, size in given_sizes.items() if size % n]
    for problem in caught.value.problems:
        for blocks in suggested(problem.suggestion, "n_blocks"):
            assert DyadGeometry(in_features, out_features, blocks, variant).n_blocks == blocks
        sizes = suggested(problem.suggestion, problem.field)
        assert sizes
        assert all(size % n == 0 and abs(size - given_sizes[problem.field]) < n for size in sizes)


@given(geometries(max_blocks=6, max_runs=6, variants=("it", "ot", "dt")), st.integers(1, 12))
def test_suggested_grains_work_on_every_side(geometry: DyadGeometry, grain: int):
    sizes = [s.features for s in (geometry.input_side, geometry.output_side) if s.interleaved]
    wrong = [size for size in sizes if size % (geometry.n_blocks * grain)]
    if not wrong:
        assert replace(geometry, grain=grain).grain == grain
        return
    with pytest.raises(SpecError) as caught:
        replace(geometry, grain=grain)
    assert len(caught.value.problems) == len(wrong)
    for problem in caught.value.problems:
        assert problem.field == "grain"
        for fitting in suggested(problem.suggestion, "grains"):
            assert replace(geometry, grain=fitting).grain == fitting


def test_bd_takes_any_grain_for_it_interleaves_nothing():
    assert DyadGeometry(8, 8, 2, "bd", 7).positions == 32


def test_absurd_sizes_are_refused_or_described_at_once():
    with pytest.raises(SpecError, match="nearest n_blocks"):
        DyadGeometry(10**30, 10**30 + 1, 4)
    assert DyadGeometry(10**30, 10**30, 4).parameters == 10**60 // 2


@given(st.integers(1, 3000))
def test_divisors_divide_and_none_is_left_out(number: int):
    found = divisors(number)
    assert found == [candidate for candidate in range(1, number + 1) if number % candidate == 0]


def test_divisors_are_bounded():
    assert divisors(2**60)[-1] == 4096
    assert divisors(12, largest=4) == [1, 2, 3, 4]


def test_nearest_prefers_the_smaller_of_two_as_near():
    assert nearest([1, 2, 4, 8, 16], 3, count=2) == [2, 4]
    assert nearest([2, 4], 3, count=1) == [2]
    assert nearest([], 3) == []


def test_nearest_multiples_are_around_and_positive():
    assert nearest_multiples(770, 4) == [768, 772]
    assert nearest_multiples(3, 4) == [4]


def test_positive_integer_accepts_integers_of_any_kind():
    assert positive_integer("n_blocks", np.int16(3)) is None
    problem = positive_integer("n_blocks", -3)
    assert problem is not None
    assert problem.suggestion == "the smallest is 1"


def test_sides_do_not_depend_on_how_many_features_there_are():
    side = Side(2**40, 64, 8, interleaved=True)
    assert count_below(side, np.array([2**40], dtype=np.int64)).tolist() == [[2**34] * 64]
