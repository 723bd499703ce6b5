"""Runs side by side: what is matched, what the figures are, and that they survive a file to the last digit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import BenchmarkRun
from dyad_core.bench.compare import MOST_RUNS, compare
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.errors import SpecError

BASE = (1.0, 1.1, 1.2, 0.9, 1.05, 1.15)
SLOWER = tuple(2 * each for each in BASE)


def test_times_and_speed_ups_against_the_first_run(make_run: Any, make_candidate: Any) -> None:
    first = make_run(make_candidate(4, 1.5, samples_ms=BASE))
    second = make_run(make_candidate(4, 1.2, samples_ms=SLOWER))
    found = compare([first, second])
    dense, row = found.candidates
    (ratio,) = row.ratios

    assert found.names == ("A", "B")
    assert found.comparable
    assert (dense.label, row.label, row.implementation) == ("dense", "IT n=4", "eager")
    assert [entry and entry.median_ms for entry in row.entries] == pytest.approx([1.075, 2.15])
    assert (ratio.time_ratio, ratio.finding, ratio.reason) == (2.0, "slower", "")
    assert ratio.time_ratio_low is not None
    assert 1 < ratio.time_ratio_low < 2
    assert ratio.speedup_ratio == pytest.approx(0.8)
    assert dense.ratios[0].speedup_ratio is None
    assert "1 slower" in found.reading
    assert compare([second, first]).candidates[1].ratios[0].finding == "faster"
    assert "independent samples" in found.method


def test_the_median_is_that_of_the_samples_whatever_the_record_says(make_run: Any, make_candidate: Any) -> None:
    run = make_run(make_candidate(4, samples_ms=BASE, median_ms=77.0))
    entry = compare([run, run]).candidates[1].entries[0]
    assert entry is not None
    assert entry.median_ms == pytest.approx(1.075)


def test_what_may_not_be_compared_has_no_ratio_and_a_reason(make_run: Any) -> None:
    found = compare([make_run(), make_run(dtype="bfloat16"), make_run(tokens=8)])
    other_dtype, other_tokens = found.candidates[1].ratios
    assert (other_dtype.time_ratio, other_dtype.speedup_ratio, other_dtype.finding) == (None, None, "not_comparable")
    assert "dtype float32" in other_dtype.reason
    assert (other_tokens.time_ratio, other_tokens.speedup_ratio) == (None, pytest.approx(1.0))
    assert "Only the speed-ups" in other_tokens.reason
    assert found.comparable
    assert not compare([make_run(), make_run(passes=["decode"])]).comparable


def test_training_steps_of_other_optimizers_stand_side_by_side_without_a_ratio(
    make_run: Any, make_candidate: Any
) -> None:
    passes = ["forward", "train_step"]
    runs = [
        make_run(make_candidate(), make_candidate(pass_="train_step"), passes=passes, optimizer=optimizer)
        for optimizer in ("none", "adamw")
    ]
    ratios = {row.pass_: row.ratios[0] for row in compare(runs).candidates if row.variant == "it"}
    assert ratios["forward"].time_ratio == 1.0
    assert (ratios["train_step"].time_ratio, ratios["train_step"].finding) == (None, "not_comparable")
    assert "optimizer" in ratios["train_step"].reason


def test_auto_is_matched_with_auto_where_it_meant_something_else(make_run: Any, make_candidate: Any) -> None:
    first = make_run(
        make_candidate(implementation="eager", chosen_by_auto=True), make_candidate(implementation="concat")
    )
    second = make_run(make_candidate(implementation="transposed", chosen_by_auto=True))
    found = compare([first, second])
    assert [row.implementation for row in found.candidates] == ["dense", "auto"]
    entries = found.candidates[1].entries
    assert [entry and entry.implementation for entry in entries] == ["eager", "transposed"]
    assert [(each.run, each.labels) for each in found.unmatched] == [("A", ("IT n=4 (concat), forward",))]
    same = compare([first, first])
    assert [row.implementation for row in same.candidates] == ["dense", "eager", "concat"]


def test_a_candidate_that_the_first_run_lacks_is_held_against_the_next(make_run: Any, make_candidate: Any) -> None:
    runs = [make_run(make_candidate(4)), make_run(make_candidate(8)), make_run(make_candidate(8))]
    row = compare(runs).candidates[1]
    assert [entry is None for entry in row.entries] == [True, False, False]
    assert [(ratio.base, ratio.other) for ratio in row.ratios] == [("B", "C")]


def test_a_candidate_without_times_is_no_error(make_run: Any, make_candidate: Any) -> None:
    failed = make_candidate(
        4, None, outcome="out_of_memory", samples_ms=(), median_ms=None, q1_ms=None, q3_ms=None, memory=None
    )
    row = compare([make_run(), make_run(failed)]).candidates[1]
    assert row.ratios[0].reason == "B has no times of this candidate."
    assert row.entries[1] is not None
    assert row.entries[1].outcome == "out_of_memory"


def test_few_samples_are_said(make_run: Any) -> None:
    ratio = compare([make_run(), make_run()]).candidates[1].ratios[0]
    assert (ratio.time_ratio, ratio.time_ratio_low, ratio.finding) == (1.0, None, "not_distinguishable")
    assert "Fewer than five samples" in ratio.reason


def test_figures_survive_files_to_the_last_digit(make_run: Any, make_candidate: Any, tmp_path: Path) -> None:
    odd = tuple(each / 3 + 1e-13 for each in BASE)
    runs = [make_run(make_candidate(4, 1 / 0.7, samples_ms=samples)) for samples in (BASE, odd)]
    save_runs(tmp_path / "first.json", runs[:1])
    save_runs(tmp_path / "both.json", runs)
    again: list[BenchmarkRun] = [*load_runs(tmp_path / "first.json"), load_runs(tmp_path / "both.json")[1]]
    assert json.dumps(compare(again).to_dict()) == json.dumps(compare(runs).to_dict())


def test_the_shape_is_pinned(make_run: Any) -> None:
    values = compare([make_run(), make_run(tokens=8)], ["new", "old"]).to_dict()
    assert list(values) == [
        "names", "reading", "differences", "pairs", "candidates", "unmatched", "method",
    ]  # fmt: skip
    assert set(values["candidates"][0]) == {
        "label", "variant", "n_blocks", "grain", "implementation", "pass", "entries", "ratios",
    }  # fmt: skip
    assert values["names"] == ["new", "old"]
    assert values["pairs"][0]["base"] == "new"


@pytest.mark.parametrize("count", [0, 1, MOST_RUNS + 1])
def test_too_few_and_too_many_runs_are_refused(make_run: Any, count: int) -> None:
    with pytest.raises(SpecError, match="must be 2 to 8 runs"):
        compare([make_run()] * count)


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_names_must_tell_the_runs_apart(make_run: Any, names: list[str]) -> None:
    with pytest.raises(SpecError, match="2 different names"):
        compare([make_run(), dataclasses.replace(make_run())], names)
