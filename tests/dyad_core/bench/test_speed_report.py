"""Who is first, which target is met and how it is said: from made-up runs, through every way out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from dyad_core.bench import BenchmarkRun, Candidate
from dyad_core.bench.speed_markdown import main, to_markdown
from dyad_core.bench.speed_report import standings, summary, text_lines
from dyad_core.bench.speed_targets import target_of

Speeds = dict[tuple[str, str], float]
MakeSuiteRun = Callable[..., BenchmarkRun]


@pytest.fixture
def suite_run(make_run: Any, make_candidate: Any) -> MakeSuiteRun:
    """A run of one n in which dense takes 1 ms and each (variant, implementation) is so many times faster."""

    def make(speeds: Speeds, *, auto: str = "eager", warnings: tuple[str, ...] = (), **spec: Any) -> BenchmarkRun:
        request = {"in_features": 1024, "out_features": 4096, "tokens": 512, "n_blocks": [4], **spec}

        def candidate(variant: str, implementation: str, speed: float) -> Candidate:
            changes: dict[str, Any] = {"variant": variant, "implementation": implementation}
            if implementation == auto and variant in ("it", "ot", "dt"):
                changes["chosen_by_auto"] = True
            samples = tuple(wobble / speed for wobble in (1.0, 1.01, 0.99, 1.0, 1.0))
            return make_candidate(4, speed, samples_ms=samples, median_ms=1 / speed, **changes)

        run = make_run(*(candidate(*name, speed) for name, speed in speeds.items()), **request)
        dense = dataclasses.replace(run.candidates[0], samples_ms=(1.0, 1.01, 0.99, 1.0, 1.0), median_ms=1.0)
        return dataclasses.replace(run, candidates=(dense, *run.candidates[1:]), warnings=warnings)

    return make


FIRST: Speeds = {
    ("it", "eager"): 1.9,
    ("it", "concat"): 1.5,
    ("it", "original"): 1.0,
    ("it", "original_feature_major"): 1.3,
    ("bd", "eager"): 3.0,
    ("low_rank", "low_rank"): 1.7,
}


def test_auto_is_first_and_its_target_is_met(suite_run: MakeSuiteRun) -> None:
    (standing,) = standings(suite_run(FIRST))
    assert [rival.name for rival in standing.rivals] == ["dense", "original", "feature-major", "low-rank"]
    assert standing.ahead == []
    assert standing.is_met
    assert [other.implementation for other in standing.others] == ["concat"]
    assert standing.block_diagonal.speedup == 3.0
    lead = {rival.name: rival.lead.estimate for rival in standing.rivals}
    assert lead["low-rank"] == pytest.approx(1.9 / 1.7)


def test_a_rival_ahead_and_a_missed_target_are_said(suite_run: MakeSuiteRun) -> None:
    run = suite_run({**FIRST, ("it", "eager"): 1.5})
    (standing,) = standings(run)
    assert [rival.name for rival in standing.ahead] == ["low-rank"]
    assert standing.is_met is False
    text = "\n".join(text_lines(run))
    assert "1024→4096, 512 tokens, float32, forward: dense 1 ms, 5 rounds" in text
    assert "auto=eager" in text
    assert "not first: low-rank is 1.13x as fast as auto" in text
    assert "target missed: 75% of 90% (CPU layer of width ≥ 1024, 512 to 1024 tokens)" in text
    assert "bd alone, with half the weights, 3.00" in text
    lines = summary([run])
    assert "first in 0, behind someone beyond the interval in 1, behind the original formulation in 0" in lines[0]
    assert "target reached by 0 of 1: CPU layer of width ≥ 1024" in lines[1]


def test_what_the_interval_leaves_open_is_not_called_ahead(suite_run: MakeSuiteRun) -> None:
    run = suite_run({("it", "eager"): 1.9, ("it", "original"): 1.9})
    noisy = (0.4, 0.6, 0.5, 0.52, 0.55)
    candidates = [
        dataclasses.replace(each, samples_ms=noisy) if each.implementation == "original" else each
        for each in run.candidates
    ]
    (standing,) = standings(dataclasses.replace(run, candidates=tuple(candidates)))
    assert standing.ahead == []
    assert [rival.seems_ahead for rival in standing.rivals] == [False, True]


def test_being_behind_the_original_is_counted(suite_run: MakeSuiteRun) -> None:
    slower = suite_run({("it", "eager"): 1.0, ("it", "original_feature_major"): 1.5})
    assert "behind the original formulation in 0 (original), 1 (feature-major)" in summary([slower])[0]


def test_where_auto_is_the_original_it_is_no_rival_of_itself(suite_run: MakeSuiteRun) -> None:
    (standing,) = standings(suite_run({("it", "original"): 1.5, ("it", "eager"): 1.2}, auto="original"))
    assert [rival.name for rival in standing.rivals] == ["dense"]


def test_a_disturbed_point_and_a_missing_peer_are_said(suite_run: MakeSuiteRun, make_candidate: Any) -> None:
    run = suite_run(FIRST, warnings=("forward: disturbed: other work kept 1.0 of 2 processors busy",))
    absent = make_candidate(
        4, None, variant="monarch", implementation="monarch", outcome="unsupported", detail="pip install it",
        samples_ms=(), median_ms=None,
    )  # fmt: skip
    text = "\n".join(text_lines(dataclasses.replace(run, candidates=(*run.candidates, absent))))
    assert "5 rounds  DISTURBED" in text
    assert "monarch was not measured: pip install it" in text
    assert "1 of 1 points were disturbed" in summary([run])[-1]


@pytest.mark.parametrize(
    ("spec", "share"),
    [
        ({}, 0.9),
        ({"in_features": 4096, "out_features": 1024}, 0.85),
        ({"in_features": 8192, "out_features": 2048, "tokens": 1024}, 0.9),
        ({"tokens": 2048}, 0.8),
        ({"in_features": 768, "out_features": 3072}, 0.85),
        ({"tokens": 1, "passes": ["decode"]}, 0.8),
        ({"tokens": 16, "passes": ["decode"]}, 0.8),
        ({"tokens": 16}, None),
        ({"tokens": 64}, None),
        ({"in_features": 256, "out_features": 1024}, None),
        ({"dtype": "bfloat16"}, None),
        ({"module": "feed_forward"}, None),
    ],
)
def test_the_target_of_a_point(suite_run: MakeSuiteRun, spec: dict[str, Any], share: float | None) -> None:
    run = suite_run({("it", "eager"): 1.0, ("bd", "eager"): 1.0}, **spec)
    found = target_of(run.spec, run.environment, run.candidates[1])
    assert (found[1] if found else None) == share
    assert target_of(run.spec, run.environment, run.candidates[0]) is None
    assert target_of(run.spec, run.environment, run.candidates[2]) is None


def test_a_gpu_target_is_a_speed_up_and_holds_for_its_gpu_alone(suite_run: MakeSuiteRun) -> None:
    sizes = {"in_features": 4096, "out_features": 16384, "module": "feed_forward", "tokens": 8192}
    run = suite_run(
        {("it", "eager"): 1.7}, dtype="bfloat16", device="cuda", passes=["forward"], **{**sizes, "tokens": 8192}
    )
    step = dataclasses.replace(run.spec, passes=("train_step",))
    gpu = dataclasses.replace(run.environment, device_name="NVIDIA H200")
    target, wanted = target_of(step, gpu, run.candidates[1])
    assert (target.quantity, wanted, target.value(run.candidates[1])) == ("speedup", 1.8, 1.7)
    assert target_of(step, dataclasses.replace(gpu, device_name="NVIDIA A100"), run.candidates[1]) is None


def test_markdown_holds_the_figures_of_the_run(suite_run: MakeSuiteRun) -> None:
    text = to_markdown([suite_run({**FIRST, ("ot", "eager"): 1.5})])
    assert "Measured on AMD EPYC (2 threads, AVX2), torch 2.13.0" in text
    row = next(line for line in text.splitlines() if line.startswith("| 1024→4096"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "1024→4096, 512 tokens, float32, forward", "4", "1.90 (95%)", "1.50\\*† (75%)", "", "1.00", "1.30", "1.70", "–",
    ]  # fmt: skip
    assert "target reached by 1 of 2" in text
    assert "hostname" not in text
    assert to_markdown([]) == "No point has been measured.\n"


def test_markdown_of_a_file_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/no/such/file.json"]) == 2
    assert "must be readable" in capsys.readouterr().err
