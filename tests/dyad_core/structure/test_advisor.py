"""Every legal n is listed with true costs and depths, and the recommendation follows from them."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core import DyadGeometry, SpecError
from dyad_core.structure import advice, reachability, stack

from .oracle import WIDTHS, reached_by_depth


@settings(max_examples=40)
@given(st.sampled_from(WIDTHS), st.sampled_from(WIDTHS), st.sampled_from(["it", "ot", "dt", "bd"]), st.integers(1, 4))
def test_choices_are_all_legal_ones_with_their_depths(in_features: int, out_features: int, variant: str, grain: int):
    found = advice(in_features, out_features, variants=(variant,), grains=(grain,))
    legal = []
    for n in range(1, min(in_features, out_features) + 1):
        try:
            legal.append(DyadGeometry(in_features, out_features, n, variant, grain))
        except SpecError:
            continue
    assert [choice.geometry for choice in found.choices] == legal
    for choice in found.choices:
        try:
            chain = list(stack(choice.geometry, 48))
        except SpecError:
            assert choice.reached_share_of_two is None
            continue
        reached = reached_by_depth(chain[:12])
        full = [depth for depth, pairs in enumerate(reached, start=1) if pairs.all()]
        if full:
            assert choice.first_full_depth == full[0]
        else:
            assert choice.first_full_depth == reachability(chain).first_full_depth
        assert choice.reached_share_of_two == reached[1].mean()


@pytest.mark.parametrize(("n", "expected"), [(32, None), (16, 2)])
def test_dt_that_splits_for_ever_has_no_depth(n: int, expected: int | None):
    (depth,) = [
        choice.first_full_depth
        for choice in advice(256, 256, variants=("dt",)).choices
        if choice.geometry.n_blocks == n
    ]
    assert depth == expected


def test_costs_are_those_of_the_layer():
    for choice in advice(768, 3072).to_dict()["choices"]:
        assert choice["share_of_dense"] == 2 / choice["n_blocks"]
        assert choice["limit"] == choice["n_blocks"] / 2
        assert choice["saves"] == (choice["n_blocks"] > 2)
        assert choice["flops_per_token"] == 2 * choice["parameters"]


@pytest.mark.parametrize(
    ("sizes", "n"), [((768, 3072), 4), ((30, 60), 5), ((9, 27), 3), ((70, 140), 5), ((121, 242), 11), ((64, 64), 4)]
)
def test_the_recommended_n_is_the_nearest_to_four_that_saves_and_mixes_soonest(sizes: tuple[int, int], n: int):
    found = advice(*sizes)
    chosen = found.choices[found.recommended]
    assert (chosen.geometry.n_blocks, chosen.geometry.variant) == (n, "it")
    assert found.reason.startswith(f"n_blocks={n} with IT costs")
    soonest = min(choice.first_full_depth or math.inf for choice in found.choices if choice.saves)
    assert chosen.first_full_depth == soonest


def test_sizes_that_no_n_divides_are_padded():
    answer = json.loads(json.dumps(advice(767, 3072).to_dict(), allow_nan=False))
    assert answer["recommended"] is None
    assert [choice["n_blocks"] for choice in answer["choices"]] == [1, 1, 1]
    assert [(padded["n_blocks"], padded["in_features"], padded["out_features"]) for padded in answer["padding"]] == [
        (4, 768, 3072),
        (8, 768, 3072),
        (16, 768, 3072),
    ]
    assert answer["padding"][0]["share_of_dense"] == pytest.approx(768 / 767 / 2)
    assert "padded to 768→3072, n_blocks=4 costs 50.1 % of the dense layer" in answer["reason"]


def test_json_has_the_agreed_shape():
    answer = advice(96, 384).to_dict()
    assert set(answer) == {
        "in_features", "out_features", "dense_parameters", "choices", "recommended", "reason", "padding", "notes",
    }  # fmt: skip
    assert set(answer["choices"][0]) == {
        "in_features", "out_features", "n_blocks", "variant", "grain", "block_in", "block_out", "parameters",
        "flops_per_token", "share_of_dense", "limit", "saves", "density", "first_full_depth", "reached_share_of_two",
    }  # fmt: skip


def test_what_is_left_out_is_said():
    assert any("above 128" in note for note in advice(512, 512, variants=("it",)).notes)
    assert any("fit no n_blocks here: 7" in note for note in advice(64, 64, grains=(1, 7)).notes)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"in_features": 0, "out_features": 2**21}, ["in_features", "out_features"]),
        ({"in_features": 8, "out_features": 8, "variants": ("it", "xt"), "grains": (0,)}, ["variants.1", "grains.0"]),
        ({"in_features": 8, "out_features": 8, "variants": (), "grains": (1, 1)}, ["variants", "grains"]),
    ],
)
def test_wrong_arguments_are_named_all_at_once(arguments: dict, fields: list[str]):
    with pytest.raises(SpecError) as caught:
        advice(**arguments)
    assert [problem.field for problem in caught.value.problems] == fields
