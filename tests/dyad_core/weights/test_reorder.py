"""Orders of hidden units: the function stays, the kept energy never falls, and it is as good as any order where that is known."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from dyad_core import DyadGeometry, DyadLinear, SpecError
from dyad_core.weights import permute_hidden, reorder, reorder_hidden
from dyad_core.weights.assignment import assign
from dyad_core.weights.energy import PatternEnergy

VARIANTS = ["it", "ot", "dt", "bd", ("ot", "it"), ("bd", "dt")]


def feed_forward(features: int, hidden: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(hidden, features, generator=generator, dtype=torch.float64)
    return first, torch.randn(features, hidden, generator=generator, dtype=torch.float64)


def kept(weight: torch.Tensor, geometry: DyadGeometry) -> float:
    return PatternEnergy(weight.contiguous()).captured(geometry) / float(weight.square().sum())


@pytest.mark.parametrize("activation", [F.relu, F.gelu, F.silu])
@pytest.mark.parametrize("bias", [True, False])
def test_the_function_is_unchanged(activation, bias: bool):
    torch.manual_seed(0)
    first, second = torch.nn.Linear(24, 96, bias=bias), torch.nn.Linear(96, 24, bias=bias)
    found = reorder_hidden(first.weight, second.weight)
    assert found.moved > 0
    changed = [torch.nn.Linear(24, 96, bias=bias), torch.nn.Linear(96, 24, bias=bias)]
    w1, w2, b1 = permute_hidden(first.weight, second.weight, found.permutation, first.bias)
    state = {"weight": w1, "bias": b1} if bias else {"weight": w1}
    changed[0].load_state_dict(state)
    changed[1].load_state_dict({**second.state_dict(), "weight": w2})
    x = torch.randn(50, 24)
    torch.testing.assert_close(changed[1](activation(changed[0](x))), second(activation(first(x))))


@settings(max_examples=40)
@given(
    st.sampled_from(VARIANTS),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from([1, 2]),
    st.integers(0, 99),
)
def test_the_figures_are_those_of_the_reordered_weights(variant, n: int, wide: int, deep: int, grain: int, seed: int):
    features, hidden = n * grain * wide, n * grain * deep
    first, second = feed_forward(features, hidden, seed)
    found = reorder_hidden(first, second, n_blocks=n, variant=variant, grain=grain)
    assert sorted(found.permutation) == list(range(hidden))
    w1, w2, _ = permute_hidden(first, second, found.permutation)
    for before, after, old, new, geometry in (
        (found.before.first, found.after.first, first, w1, found.first),
        (found.before.second, found.after.second, second, w2, found.second),
    ):
        assert before == pytest.approx(kept(old, geometry), abs=1e-9)
        assert after == pytest.approx(kept(new, geometry), abs=1e-9)
    assert found.after.both >= found.before.both
    assert found.after.both <= found.bound <= 1
    if found.after.both == found.before.both:
        assert found.moved == 0


@pytest.mark.parametrize("variant", ["it", "ot", "dt", ("ot", "it")])
def test_it_is_the_best_of_all_orders(variant):
    first, second = feed_forward(4, 6, seed=3)
    found = reorder_hidden(first, second, n_blocks=2, variant=variant)
    best = 0.0
    for order in itertools.permutations(range(6)):
        w1, w2, _ = permute_hidden(first, second, np.array(order))
        best = max(best, (kept(w1, found.first) + kept(w2, found.second)) / 2)
    assert found.after.both == pytest.approx(best, abs=reorder.TOLERANCE)
    assert found.bound >= best - 1e-12


@pytest.mark.parametrize("variant", ["it", "ot", "dt", ("ot", "it")])
@pytest.mark.parametrize("n_blocks", [4, 8])
def test_a_planted_order_is_found_again(variant, n_blocks: int):
    torch.manual_seed(1)
    one, two = (variant, variant) if isinstance(variant, str) else variant
    first = DyadLinear(64, 256, n_blocks=n_blocks, variant=one).to_dense().detach()
    second = DyadLinear(256, 64, n_blocks=n_blocks, variant=two).to_dense().detach()
    first += 0.01 * torch.randn_like(first) * first.std()
    second += 0.01 * torch.randn_like(second) * second.std()
    hidden = torch.randperm(256)
    found = reorder_hidden(first[hidden], second[:, hidden], n_blocks=n_blocks, variant=variant)
    assert found.before.both < 0.6
    assert found.after.both > 0.9995
    assert found.bound - found.after.both < 1e-3


def test_units_that_stand_well_stay():
    torch.manual_seed(0)
    first = DyadLinear(32, 64, n_blocks=4).to_dense().detach()
    second = DyadLinear(64, 32, n_blocks=4).to_dense().detach()
    found = reorder_hidden(first, second)
    assert found.moved == 0
    assert found.after == found.before
    assert found.reading.startswith("No better order was found: the given one keeps 100.0%")


def test_json_and_words_say_that_it_is_no_conversion():
    found = reorder_hidden(*feed_forward(24, 96))
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["after"]["both"] > values["before"]["both"]
    assert len(values["permutation"]) == 96
    assert values["first"]["out_features"] == values["second"]["in_features"] == 96
    assert "the feed-forward itself computes the same, its projection still does not" in values["reading"]


@pytest.mark.parametrize(
    ("first", "second", "options", "words"),
    [
        (
            torch.ones(8, 4),
            torch.ones(8, 4),
            {},
            "second_weight: must have as many columns as first_weight has rows, 8",
        ),
        (torch.ones(8), torch.ones(4, 8), {}, "first_weight: must be a matrix"),
        (torch.ones(8, 4), torch.ones(4, 8) * torch.inf, {}, "second_weight: must hold finite numbers"),
        (torch.ones(8, 6), torch.ones(6, 8), {}, "first_weight.in_features: must be divisible by n_blocks=4"),
        (torch.ones(8, 4), torch.ones(4, 8), {"variant": "xt"}, "first_weight.variant: must be one of"),
    ],
)
def test_wrong_input(first, second, options: dict[str, object], words: str):
    with pytest.raises(SpecError, match=words):
        reorder_hidden(first, second, **options)


def test_too_many_kinds_of_places_are_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reorder, "MAX_GAINS", 1000)
    with pytest.raises(SpecError, match="n_blocks: must make at most 15 kinds of places for 64 hidden units"):
        reorder_hidden(torch.ones(64, 16), torch.ones(16, 64))


@settings(max_examples=60)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 10_000), st.booleans())
def test_assignments_against_every_one(units: int, kinds: int, seed: int, ties: bool):
    generator = np.random.default_rng(seed)
    kinds = min(kinds, units)
    gain = generator.integers(0, 3, (units, kinds)).astype(float) if ties else generator.random((units, kinds))
    capacity = np.ones(kinds, dtype=np.int64)
    for _ in range(units - kinds):
        capacity[generator.integers(kinds)] += 1
    found = assign(gain, capacity, 1e-6)
    places = np.repeat(np.arange(kinds), capacity)
    best = max(gain[np.arange(units), list(order)].sum() for order in set(itertools.permutations(places.tolist())))
    np.testing.assert_array_equal(np.bincount(found.kinds, minlength=kinds), capacity)
    assert found.total == pytest.approx(gain[np.arange(units), found.kinds].sum())
    assert found.total >= best - 1e-6
    assert found.bound >= best - 1e-9


def test_an_auction_that_takes_too_long_still_assigns_everyone_and_says_what_may_be_missing(monkeypatch):
    monkeypatch.setattr("dyad_core.weights.assignment.MAX_ROUNDS", 1)
    gain = np.random.default_rng(0).random((60, 5))
    capacity = np.full(5, 12)
    found = assign(gain, capacity, 1e-6)
    np.testing.assert_array_equal(np.bincount(found.kinds), capacity)
    assert found.bound > found.total
