"""A run from building to memory, on a clock that says what it is told, with what can go wrong in each stage."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from measuring_tools import SteadyClock
from model_tools import BERT, GPT2, LLAMA, NEOX, OPT, tiny

from dyad_core.bench.correctness import Checked
from dyad_core.bench.parts import Correctness
from dyad_core.models.measuring import session as module
from dyad_core.models.measuring.measure import measure_model
from dyad_core.models.measuring.progress import ModelProgress
from dyad_core.models.measuring.workshop import Workshop
from dyad_core.models.records import ModelCandidate, ModelRun

ALL = ["train_step", "prefill", "decode"]


def measured(**changes: Any) -> ModelRun:
    return measure_model(tiny(**changes), clock=SteadyClock())


def of(run: ModelRun, pass_: str) -> list[ModelCandidate]:
    return [each for each in run.candidates if each.pass_ == pass_]


def test_a_run_holds_every_pass_of_every_model_with_its_parts() -> None:
    run = measured(passes=ALL, modes=["layers", "feed_forward"])
    assert [(each.pass_, each.variant, each.mode) for each in run.candidates] == [
        (pass_, variant, mode)
        for pass_ in ALL
        for variant, mode in (("dense", None), ("it", "layers"), ("it", "feed_forward"))
    ]
    for each in run.candidates:
        assert each.median_ms is not None, each.detail
        assert each.memory is not None, each.warnings
        assert each.memory_predicted is not None
        assert (each.correctness is None) == (each.variant == "dense")
        assert (each.prediction is None) == (each.variant == "dense")
        assert each.deviation is not None
        assert each.flops > 0
        assert each.parameters > 0
    assert [each.pass_ for each in run.sampling] == ALL
    assert run.noise is not None
    assert run.reading
    assert (run.model_type, len(run.layers)) == ("opt", 13)


def test_the_deviation_is_what_the_parts_foretell_against_what_was_measured() -> None:
    run = measured()
    dense, candidate = of(run, "train_step")
    assert candidate.prediction is not None
    assert candidate.median_ms is not None
    assert candidate.deviation == pytest.approx(candidate.prediction.predicted_ms / candidate.median_ms - 1)
    kept = sum(part.count * part.median_ms for part in run.parts if part.variant in (None, "dense"))
    assert candidate.prediction.dense_ms == pytest.approx(kept)
    assert dense.median_ms is not None
    assert dense.deviation == pytest.approx(kept / dense.median_ms - 1)


def test_tokens_per_second_count_what_a_call_works_on() -> None:
    run = measured(passes=ALL)
    for each in run.candidates:
        assert each.median_ms is not None
        tokens = 2 if each.pass_ == "decode" else 16
        assert each.tokens_per_s == pytest.approx(1000 * tokens / each.median_ms)


@pytest.mark.parametrize("config", [NEOX, GPT2, LLAMA, BERT], ids=lambda config: str(config["model_type"]))
def test_every_architecture_is_measured(config: dict[str, Any]) -> None:
    run = measured(config=config, passes=ALL[:2] if config is BERT else ALL, checkpointing=True)
    assert all(each.median_ms is not None and each.deviation is not None for each in run.candidates), run.warnings


def test_without_parts_nothing_is_foretold() -> None:
    run = measured(parts=False)
    assert run.parts == ()
    assert all(each.prediction is None and each.deviation is None for each in run.candidates)


def test_an_incorrect_model_gets_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Checked(Correctness(False, 0.5, 1e-6, 1e-7), "the logits are off")
    monkeypatch.setattr(module, "check_model", lambda *_, **__: wrong)
    run = measured()
    dense, candidate = of(run, "train_step")
    assert (candidate.outcome, candidate.detail) == ("incorrect", "the logits are off")
    assert (candidate.median_ms, candidate.samples_ms, candidate.memory) == (None, (), None)
    assert dense.outcome == "measured"
    assert "failed the check against the oracle and has no speed" in run.reading


def test_what_cannot_be_built_is_a_result_and_stops_nobody() -> None:
    run = measured(n_blocks=[4, 7])
    found = {each.n_blocks: each for each in run.candidates}
    assert found[7].outcome == "unsupported"
    assert "7" in found[7].detail
    assert found[4].median_ms is not None


def test_a_model_that_runs_out_of_memory_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Workshop.build

    def fail(self: Workshop, plan: Any) -> Any:
        if plan.variant is not None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return build(self, plan)

    monkeypatch.setattr(Workshop, "build", fail)
    assert [each.outcome for each in measured().candidates] == ["measured", "out_of_memory"]


def test_parts_that_cannot_be_made_are_said_and_the_whole_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise LookupError("it has no blocks")

    monkeypatch.setattr(module, "make_parts", fail)
    run = measured()
    assert any("it has no blocks" in warning for warning in run.warnings)
    assert all(each.median_ms is not None for each in run.candidates)


def test_progress_never_falls_and_ends_at_one() -> None:
    heard: list[ModelProgress] = []
    measure_model(tiny(passes=["prefill", "decode"]), clock=SteadyClock(), on_progress=heard.append)
    fractions = [each.fraction for each in heard]
    assert fractions == sorted(fractions)
    assert (fractions[-1], heard[-1].stage) == (1.0, "finished")
    stages = [each.stage for each in heard]
    assert stages[0] == "building"
    assert {"checking", "warming_up", "timing", "memory"} <= set(stages)
    assert [each for each in heard if each.stage == "timing"][-1].candidates[-1].speedup is not None


def test_a_compiled_model_is_checked_on_both_sides_and_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[dict[str, Any]] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **options: compiled.append(options))
    run = measured(compile=True, config=OPT)
    assert compiled == [{"dynamic": False}] * 2
    assert all(each.correctness is not None and each.correctness.passed for each in run.candidates)
    assert any("torch.compile" in warning for warning in run.warnings)
    assert run.parts == ()


@pytest.mark.gpu
def test_a_model_is_measured_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    run = measure_model(tiny(device="cuda", dtype="bfloat16", passes=ALL, modes=["layers", "feed_forward"]))
    assert all(each.median_ms is not None for each in run.candidates), [each.detail for each in run.candidates]
