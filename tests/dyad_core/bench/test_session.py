from __future__ import annotations

import pytest
import torch
from measuring_tools import SteadyClock, UnevenClock
from measuring_tools import small as spec

from dyad_core.bench import calling, session
from dyad_core.bench.looks import MAX_ROUNDS, MIN_ROUNDS
from dyad_core.bench.measure import measure


def test_the_budget_is_kept_but_the_fewest_rounds_are_always_taken() -> None:
    slow = measure(spec(n_blocks=[4], max_seconds=1.0), clock=UnevenClock(unit_ms=1000.0))
    assert len(slow.candidates[0].samples_ms) == MIN_ROUNDS
    assert slow.sampling[0].stopped == "budget"
    assert any("budget was spent after 8 rounds" in warning for warning in slow.warnings)
    ample = measure(spec(n_blocks=[4]), clock=UnevenClock(unit_ms=1.0))
    assert (ample.sampling[0].stopped, ample.sampling[0].rounds) == ("rounds", MAX_ROUNDS)
    assert not any("budget was spent" in warning for warning in ample.warnings)


def test_sampling_stops_when_the_interval_is_as_narrow_as_wished() -> None:
    run = measure(spec(n_blocks=[4], passes=["forward", "train_step"]), clock=SteadyClock())
    assert [(each.pass_, each.stopped, each.rounds, each.looks) for each in run.sampling] == [
        ("forward", "target", MIN_ROUNDS, 1),
        ("train_step", "target", MIN_ROUNDS, 1),
    ]
    assert all(each.widest_interval == 0.0 and each.target_interval == 0.02 for each in run.sampling)
    wide = measure(spec(n_blocks=[4], target_interval=0.9), clock=UnevenClock(unit_ms=1.0))
    assert wide.sampling[0].stopped == "target"
    assert wide.sampling[0].rounds < MAX_ROUNDS


@pytest.mark.parametrize(
    ("module", "implementation"),
    [("linear", "auto"), ("linear", "original_feature_major"), ("linear", "concat"), ("feed_forward", "auto")],
)
def test_every_pass_is_measured_for_both_sides(
    module: str, implementation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "cache_bytes", lambda _: 10_000)  # thousands of copies of a tiny layer otherwise
    passes = ["forward", "backward_input", "backward_weight", "train_step", "decode"]
    request = spec(n_blocks=[4], variants=["it", "dt"], passes=passes, module=module, implementations=[implementation])
    run = measure(request, clock=SteadyClock())
    assert [each.detail for each in run.candidates if not each.has_speed] == []
    assert len(run.candidates) == 3 * len(passes)
    for each in run.candidates:
        assert each.memory is not None
        assert each.memory_predicted is not None
        assert (each.operations or 0) > 0
        assert (each.bytes_moved or 0) > 0
        with_optimizer = each.pass_ == "train_step"
        assert (each.memory.optimizer_state_bytes or 0) > 0 if with_optimizer else not each.memory.optimizer_state_bytes


def test_several_seeds_are_each_checked_and_taken_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    real = calling.Caller.redraw

    def redraw(self: calling.Caller, seed: int) -> None:
        drawn.append(seed)
        real(self, seed)

    monkeypatch.setattr(calling.Caller, "redraw", redraw)
    checked: list[int] = []
    real_check = session.check
    monkeypatch.setattr(session, "check", lambda *of, seed: checked.append(seed) or real_check(*of, seed=seed))
    run = measure(spec(n_blocks=[4], passes=["train_step"], n_seeds=3, seed=7), clock=SteadyClock())
    assert [each.detail for each in run.candidates if not each.has_speed] == []
    assert sorted(set(checked)) == [7, 8, 9]
    assert drawn[:4] == [8, 9, 7, 8]


def test_a_second_dense_twin_is_the_control() -> None:
    run = measure(spec(n_blocks=[4], peers=["dense_again"]), clock=SteadyClock())
    control = run.candidates[-1]
    assert (control.variant, control.label, control.limit, control.n_blocks) == (
        "dense_again",
        "dense_again",
        1.0,
        None,
    )
    assert control.parameters == run.candidates[0].parameters
    assert "a second dense twin is called slower than the first" in run.reading  # this clock's third call takes 3 units


def test_a_training_step_leaves_the_weights_as_they_were_checked() -> None:
    for optimizer in ("none", "sgd", "adamw"):
        run = measure(spec(n_blocks=[4], passes=["train_step"], optimizer=optimizer), clock=SteadyClock())
        assert all(each.has_speed for each in run.candidates)
        sizes = [each.memory.optimizer_state_bytes for each in run.candidates if each.memory]
        if optimizer == "adamw":  # two moments of every parameter, and one count each
            assert sizes == [
                8 * (each.parameters + 48) + 4 * parts for each, parts in zip(run.candidates, (2, 3), strict=True)
            ]
        else:
            assert sizes == [0, 0]


def test_the_precision_of_products_is_set_for_the_measurement_only() -> None:
    before = torch.get_float32_matmul_precision()
    run = measure(spec(n_blocks=[4], float32_matmul_precision="high"), clock=SteadyClock())
    assert run.environment.float32_matmul_precision == "high"
    assert torch.get_float32_matmul_precision() == before


def test_a_flushed_cache_and_compiled_modules_are_measured() -> None:
    flushed = measure(spec(n_blocks=[4], cache="flushed", max_seconds=0.2))
    assert all(each.has_speed for each in flushed.candidates)
    compiled = measure(spec(n_blocks=[4], compile=True), clock=SteadyClock())
    assert [each.detail for each in compiled.candidates if not each.has_speed] == []
