from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from measuring_tools import SteadyClock
from measuring_tools import small as spec
from torch import Tensor

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, Progress, session
from dyad_core.bench import measure as measuring
from dyad_core.bench.kept_ceilings import ceilings_path, machine_identity
from dyad_core.bench.looks import MIN_ROUNDS, critical_value
from dyad_core.bench.machine import usable_cores
from dyad_core.bench.measure import measure
from dyad_core.bench.statistics import paired_speedup, quartiles
from dyad_core.errors import ImplementationError
from dyad_core.ops import registry
from dyad_core.ops.eager import linear_eager


@pytest.fixture
def sabotaged() -> Iterator[str]:
    """An implementation that is off by a thousandth in one output."""

    def apply(input: Tensor, *rest: object) -> Tensor:
        output = linear_eager(input, *rest)
        return output * torch.where(torch.arange(output.shape[1]) == 5, 1.001, 1.0)

    yield from registered("sabotaged", apply)


def registered(name: str, apply: object) -> Iterator[str]:
    registry.register(registry.Implementation(name=name, summary="for a test", apply=apply))
    yield name
    del registry._registered[name]


def raising(error: Exception) -> Iterator[str]:
    def apply(*_: object) -> Tensor:
        raise error

    return registered("raising", apply)


def test_a_run_holds_every_candidate_and_pass_in_order() -> None:
    request = spec(n_blocks=[4, 8], variants=["it", "ot"], passes=["forward", "train_step"])
    run = measure(request, clock=SteadyClock(), warnings=["from before"])
    labels = ["dense", "IT n=4", "OT n=4", "IT n=8", "OT n=8"]
    assert [(each.pass_, each.label) for each in run.candidates] == [
        (pass_, label) for pass_ in ("forward", "train_step") for label in labels
    ]
    assert [each.outcome for each in run.candidates] == 2 * ["measured", *4 * ["slower"]]
    assert run.warnings[0] == "from before"
    assert run.spec == request
    assert run.reading.startswith("On ")
    assert BenchmarkRun.from_dict(run.to_dict()) == run


def test_figures_are_those_of_the_samples() -> None:
    run = measure(spec(n_blocks=[4], variants=["it"]), clock=SteadyClock())
    dense, dyad = run.candidates
    assert dense.samples_ms == (10.0,) * MIN_ROUNDS
    assert dyad.samples_ms == (20.0,) * MIN_ROUNDS
    spread = quartiles(dyad.samples_ms)
    assert (dyad.q1_ms, dyad.median_ms, dyad.q3_ms) == (spread.q1, spread.median, spread.q3)
    expected = paired_speedup(dense.samples_ms, dyad.samples_ms, critical_value=critical_value())
    assert (dyad.speedup_low, dyad.speedup, dyad.speedup_high) == (expected.low, expected.estimate, expected.high)
    assert (dyad.speedup, dyad.limit, dyad.share_of_limit) == (0.5, 2.0, 0.25)
    assert (dense.speedup, dense.n_blocks, dense.grain) == (1.0, None, None)
    assert dyad.parameters == 2 * 4 * 12 * 6
    assert dyad.flops == 2 * 16 * dyad.parameters
    assert dyad.memory is not None
    assert dyad.memory.parameters_bytes == 4 * (dyad.parameters + 48)
    assert dyad.correctness is not None
    assert dyad.correctness.passed


def test_a_sabotaged_implementation_gets_no_speed_and_the_others_do(sabotaged: str) -> None:
    run = measure(spec(n_blocks=[4], implementations=["eager", sabotaged, "reference"]), clock=SteadyClock())
    found = {each.implementation: each for each in run.candidates}
    wrong = found.pop(sabotaged)
    assert wrong.outcome == "incorrect"
    assert "the output is off by" in wrong.detail
    assert wrong.correctness is not None
    assert not wrong.correctness.passed
    assert (wrong.samples_ms, wrong.median_ms, wrong.speedup, wrong.memory) == ((), None, None, None)
    assert all(each.has_speed and each.speedup is not None for each in found.values())
    assert "(sabotaged) failed the check" in run.reading


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "out_of_memory", "CUDA out of memory. Tried"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"),
            "out_of_memory",
            "not enough",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory", "can't allocate"),
        (MemoryError(), "out_of_memory", "the memory ran out"),
        (ImplementationError("needs a GPU"), "unsupported", "needs a GPU"),
        (NotImplementedError("no kernel for Half"), "unsupported", "no kernel for Half"),
        (RuntimeError("shapes differ\nC++ frames"), "failed", "RuntimeError: shapes differ"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
    ],
)
def test_each_way_to_fail_is_a_state_of_its_own(error: Exception, outcome: str, detail: str) -> None:
    for name in raising(error):
        run = measure(spec(n_blocks=[4], implementations=[name, "eager"]), clock=SteadyClock())
        found = {each.implementation: each for each in run.candidates}
        assert found[name].outcome == outcome
        assert detail in found[name].detail
        assert found[name].speedup is None
        assert found["eager"].outcome == "slower"


def test_an_implementation_that_cannot_run_here_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_only = dataclasses.replace(registry.get("eager"), name="gpu_only", unavailable=lambda *_: "it needs a GPU")
    monkeypatch.setitem(registry._registered, "gpu_only", gpu_only)
    run = measure(spec(n_blocks=[4], implementations=["gpu_only"]), clock=SteadyClock())
    assert [each.outcome for each in run.candidates] == ["measured", "unsupported"]
    assert "it needs a GPU" in run.candidates[1].detail


def test_running_out_of_memory_while_timing_ends_that_candidate_only() -> None:
    count = iter(range(1000))

    def apply(input: Tensor, *rest: object) -> Tensor:
        if next(count) > 12:
            raise torch.OutOfMemoryError("out of memory")
        return linear_eager(input, *rest)

    for name in registered("greedy", apply):
        run = measure(spec(n_blocks=[4], implementations=[name, "eager"]), clock=SteadyClock())
        found = {each.implementation: each for each in run.candidates}
        assert (found[name].outcome, found[name].samples_ms) == ("out_of_memory", ())
        assert len(found["eager"].samples_ms) == len(found["dense"].samples_ms) >= MIN_ROUNDS


def test_without_a_dense_twin_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    real = session.build

    def build(plan: object, request: BenchmarkSpec) -> object:
        if plan.geometry is None:
            raise MemoryError("dense is too large")
        return real(plan, request)

    monkeypatch.setattr(session, "build", build)
    run = measure(spec(n_blocks=[4]), clock=SteadyClock())
    assert [each.outcome for each in run.candidates] == ["out_of_memory", "measured"]
    assert run.candidates[1].median_ms is not None
    assert run.candidates[1].speedup is None
    assert "nothing to compare with" in run.reading


def test_no_room_for_the_input_is_said_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(session, "Feed", feed)
    run = measure(spec(n_blocks=[4]), clock=SteadyClock())
    assert {(each.outcome, each.detail) for each in run.candidates} == {("out_of_memory", "no room")}


def test_a_run_with_time_for_it_holds_the_ceilings_and_places_every_candidate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DYAD_HOME", str(tmp_path))
    short = measure(spec(n_blocks=[4], max_seconds=9.0), clock=SteadyClock())
    assert short.ceilings is None
    assert {each.placement for each in short.candidates} == {None}
    run = measure(spec(n_blocks=[4], max_seconds=10.0), clock=SteadyClock())
    if run.ceilings is None:  # other work beside this test
        assert any("no roofline: other work" in warning for warning in run.warnings)
        return
    for each in run.candidates:
        assert each.placement is not None
        assert each.placement.measured_ms == each.median_ms
    assert BenchmarkRun.from_dict(run.to_dict()) == run
    assert measure(spec(n_blocks=[4], max_seconds=9.0), clock=SteadyClock()).ceilings == run.ceilings


def test_ceilings_that_cannot_be_read_cost_the_roofline_and_not_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DYAD_HOME", str(tmp_path))
    path = ceilings_path(machine_identity("cpu", "float32", usable_cores()))
    path.parent.mkdir(parents=True)
    path.write_text("{")
    run = measure(spec(n_blocks=[4], threads=usable_cores()), clock=SteadyClock())
    assert run.ceilings is None
    assert all(each.has_speed for each in run.candidates)
    assert any("no roofline" in warning for warning in run.warnings)


def test_noise_is_recorded_before_during_and_after() -> None:
    noise = measure(spec(n_blocks=[4]), clock=SteadyClock()).noise
    assert noise is not None
    assert noise.before.load_average_1min is not None
    assert noise.after.at_s > noise.before.at_s


def test_progress_tells_stages_figures_and_never_goes_back() -> None:
    told: list[Progress] = []
    measure(spec(n_blocks=[4], passes=["forward", "train_step"]), clock=SteadyClock(), on_progress=told.append)
    stages = [progress.stage for progress in told]
    each_pass = ["checking", "warming_up", "timing", "memory"]
    assert list(dict.fromkeys(stages)) == [*each_pass, "finished"]
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    early = next(progress for progress in told if progress.stage == "warming_up")
    assert {each.label for each in early.candidates} == {"dense", "IT n=4"}
    assert all(each.median_ms and each.samples_ms == () for each in early.candidates)
    assert [Progress.from_dict(progress.to_dict()) for progress in told] == told


def test_a_listener_that_raises_ends_the_measurement() -> None:
    def listener(progress: Progress) -> None:
        raise RuntimeError("listener is gone")

    with pytest.raises(RuntimeError, match="listener is gone"):
        measure(spec(n_blocks=[4]), clock=SteadyClock(), on_progress=listener)


def test_threads_are_set_for_the_measurement_only(monkeypatch: pytest.MonkeyPatch) -> None:
    before, default = torch.get_num_threads(), torch.get_default_dtype()
    monkeypatch.setattr(measuring, "usable_cores", lambda: 1)
    run = measure(spec(n_blocks=[4]), clock=SteadyClock())
    assert run.environment.threads == 1
    assert measure(spec(n_blocks=[4], threads=2), clock=SteadyClock()).environment.threads == 2
    assert torch.get_num_threads() == before
    assert torch.get_default_dtype() == default


def test_wide_spread_and_restless_warm_up_are_warned_about() -> None:
    class Restless(SteadyClock):
        def sample_ms(self, call: object, calls: int) -> float:
            self.unit_ms = 5.0 + (self.unit_ms * 7) % 31
            return super().sample_ms(call, calls)

    run = measure(spec(n_blocks=[4], max_seconds=2.0), clock=Restless())
    warnings = " ".join(run.candidates[1].warnings)
    assert "did not settle" in warnings
    assert "spread widely" in warnings


def test_with_the_real_clock() -> None:
    run = measure(spec(n_blocks=[4], max_seconds=0.2, module="feed_forward", passes=["train_step"]))
    assert all(len(each.samples_ms) >= MIN_ROUNDS and min(each.samples_ms) > 0 for each in run.candidates)
    assert run.duration_s > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_on_a_gpu(dtype: str) -> None:
    request = spec(dtype=dtype, device="cuda", passes=["forward", "train_step"], max_seconds=2.0, in_features=256)
    run = measure(request)
    assert all(each.has_speed for each in run.candidates)
    assert run.environment.cuda_version is not None
    assert all(each.memory is not None and "cuda" in each.memory.method for each in run.candidates)
