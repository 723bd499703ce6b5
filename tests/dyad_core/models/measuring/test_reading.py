"""The verdict in a sentence: conditions, the best candidate, its interval, what was foretold, and every trouble."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from model_tools import made_up_candidate, made_up_model_run, tiny

from dyad_core.models.measuring.reading import label

UNTIMED: dict[str, Any] = {
    "median_ms": None, "speedup": None, "speedup_low": None, "speedup_high": None, "samples_ms": (),
}  # fmt: skip


def test_the_sentence_holds_conditions_figures_and_what_was_foretold() -> None:
    run = made_up_model_run()
    assert "opt (2 layers, 32 wide) on " in run.reading
    assert "float32, batch 2 × 8 tokens: " in run.reading
    assert "the training step is faster with IT n=4: 1.25x of dense (95 % interval 1.15–1.35" in run.reading
    assert "x foretold from its layers" in run.reading


@pytest.mark.parametrize(
    ("speedup", "said"),
    [
        (1.02, "is not distinguishable from dense"),
        (0.7, "is slower with IT n=4: 0.70x"),
        (1.5, "is faster with IT n=4"),
    ],
)
def test_the_interval_decides(speedup: float, said: str) -> None:
    assert said in made_up_model_run(*(made_up_candidate("train_step", each) for each in (None, speedup))).reading


def test_several_candidates_are_ranked_and_troubles_told() -> None:
    spec = tiny(n_blocks=[4, 8], modes=["layers", "feed_forward"])
    run = made_up_model_run(
        made_up_candidate("train_step"),
        made_up_candidate("train_step", 1.2),
        made_up_candidate("train_step", 1.4, n_blocks=8, mode="feed_forward"),
        dataclasses.replace(made_up_candidate("train_step", 1.4, n_blocks=8), outcome="incorrect", **UNTIMED),
        spec=spec,
    )
    assert "is fastest with IT n=8, whole feed-forward: 1.40x" in run.reading
    assert "IT n=8, layer by layer failed the check against the oracle and has no speed" in run.reading
    assert [label(each, run) for each in run.candidates][:2] == ["dense", "IT n=4, layer by layer"]


def test_a_dense_model_without_a_time_leaves_nothing_to_compare_with() -> None:
    alone: dict[str, Any] = {"outcome": "measured", "speedup": None, "speedup_low": None, "speedup_high": None}
    run = made_up_model_run(
        dataclasses.replace(made_up_candidate("train_step"), outcome="out_of_memory", **UNTIMED),
        dataclasses.replace(made_up_candidate("train_step", 1.2), **alone),
    )
    assert "the dense model ran out of memory, so there is nothing to compare with" in run.reading
