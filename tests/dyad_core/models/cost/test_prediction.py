"""A step foretold from its parts: the sum over parts and Amdahl's law are the same number, in words and in figures."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad_core.errors import SpecError
from dyad_core.models.cost.prediction import predict, predictions
from dyad_core.models.records import PartTime, Prediction

milliseconds = st.floats(0.001, 1000, allow_nan=False)


def part(name: str, ms: float, variant: str | None = None, count: int = 1, **given: Any) -> PartTime:
    n, mode = (None, None) if variant in (None, "dense") else (given.get("n_blocks", 4), given.get("mode", "layers"))
    return PartTime(name, given.get("pass_", "train_step"), variant, n, mode, count, (ms,), ms, ms, ms)


def step(kept: float = 5.0, dense: float = 10.0, own: float = 5.0) -> list[PartTime]:
    return [
        part("feed_forward", dense, "dense", 12),
        part("feed_forward", own, "it", 12),
        part("rest_of_block", kept, count=12),
        part("embedding", 1.0),
        part("optimizer", 30.0, "dense"),
        part("optimizer", 15.0, "it"),
        part("optimizer_rest", 20.0),
    ]


def test_a_step_is_the_sum_of_its_parts() -> None:
    found = predict(step(), "train_step", "it", 4, "layers")
    assert found.dense_ms == 12 * 10 + 12 * 5 + 1 + 30 + 20
    assert found.predicted_ms == 12 * 5 + 12 * 5 + 1 + 15 + 20
    assert found.replaced_share == pytest.approx(150 / 231)
    assert found.replaced_speedup == 2.0
    assert found.ceiling == pytest.approx(231 / 81)


@given(milliseconds, milliseconds, milliseconds)
def test_the_sum_and_amdahls_law_are_one_number(kept: float, dense: float, own: float) -> None:
    found = predict(step(kept, dense, own), "train_step", "it", 4, "layers")
    f, s = found.replaced_share, found.replaced_speedup
    assert found.speedup == pytest.approx(1 / ((1 - f) + f / s))
    assert found.speedup == pytest.approx(found.dense_ms / found.predicted_ms)
    assert found.ceiling == pytest.approx(1 / (1 - f))
    assert found.speedup < found.ceiling


def test_the_words_hold_the_formula_with_the_figures_of_the_record() -> None:
    found = predict(step(), "train_step", "it", 4, "layers")
    assert "12 × 10 ms feed-forward and 1 × 30 ms their optimizer step" in found.words
    rest, share, gain, speedup = map(
        float, re.findall(r"1 / \(([\d.]+) \+ ([\d.]+) / ([\d.]+)\) = ([\d.]+)x", found.words)[0]
    )
    assert rest == pytest.approx(1 - found.replaced_share, abs=5e-4)
    assert share == pytest.approx(found.replaced_share, abs=5e-4)
    assert gain == pytest.approx(found.replaced_speedup, abs=5e-3)
    assert speedup == pytest.approx(found.speedup, abs=5e-3)
    assert f"{found.ceiling:.2f}x" in found.words


def test_parts_of_other_passes_and_candidates_are_left_aside() -> None:
    others = [
        part("feed_forward", 1.0, "it", 12, n_blocks=8),
        part("feed_forward", 1.0, "it", 12, mode="feed_forward"),
        part("feed_forward", 1.0, "dt", 12),
        part("feed_forward", 1.0, "dense", 12, pass_="prefill"),
    ]
    assert predict([*step(), *others], "train_step", "it", 4, "layers") == predict(
        step(), "train_step", "it", 4, "layers"
    )


def test_a_model_of_nothing_but_replaced_layers_has_their_own_speedup() -> None:
    found = predict(
        [part("feed_forward", 8.0, "dense"), part("feed_forward", 2.0, "it")], "train_step", "it", 4, "layers"
    )
    assert (found.replaced_share, found.speedup) == (1.0, 4.0)
    assert found.ceiling >= found.speedup
    assert "nothing" not in found.words


def test_blocks_that_differ_have_parts_of_their_own() -> None:
    parts = [
        part("feed_forward.wide", 8.0, "dense", 3),
        part("feed_forward.wide", 4.0, "it", 3),
        part("feed_forward.narrow", 2.0, "dense", 9),
        part("feed_forward.narrow", 2.0, "it", 9),
        part("rest_of_block", 1.0, count=12),
    ]
    found = predict(parts, "train_step", "it", 4, "layers")
    assert (found.dense_ms, found.predicted_ms) == (54.0, 42.0)
    assert "feed-forward (wide)" in found.words


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "dense time of what is replaced"),
        ([part("feed_forward", 1.0, "dense")], "the time of feed_forward with it n=4"),
        ([*step(), part("attention", 1.0, "it")], "the dense time of attention too"),
        ([*step(), part("feed_forward", 1.0, "dense")], "each part once"),
        ([*step(), part("embedding.two", 0.0)], "above 0"),
    ],
)
def test_parts_that_do_not_make_a_step_are_refused(parts: list[PartTime], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        predict(parts, "train_step", "it", 4, "layers")


def test_only_passes_with_times_of_the_candidate_are_foretold() -> None:
    decode = [
        part("feed_forward", 1.0, "dense", 12, pass_="decode"),
        part("feed_forward", 0.5, "it", 12, pass_="decode"),
        part("rest_of_block", 1.0, count=12, pass_="decode"),
    ]
    found = predictions([*step(), *decode], "it", 4, "layers")
    assert [each.pass_ for each in found] == ["train_step", "decode"]
    assert all(isinstance(each, Prediction) for each in found)
    assert predictions([*step(), *decode], "it", 8, "layers") == ()
    assert predictions(None, "it", 4, "layers") == ()
