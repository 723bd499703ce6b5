"""Sweeps on a simulated machine: what is measured, what ends them, what they take over; and one real, tiny sweep."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from sweep_tools import HERE, Simulated, slope

from dyad_core.bench import BenchmarkSpec
from dyad_core.errors import BenchmarkFailed, Problem, SpecError
from dyad_core.sweep import SweepPoint, SweepProgress, SweepResult, SweepSpec, run_sweep

WIDTHS = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
SPEC = SweepSpec(widths=WIDTHS, tokens=(16, 32, 64, 128, 256, 512, 1024), n_blocks=(4,), max_seconds=10_000)


def sweep(machine: Simulated, spec: SweepSpec = SPEC, **options: object) -> SweepResult:
    return run_sweep(spec, run=machine, clock=machine.clock, here=machine.here, **options)


def places(result: SweepResult) -> list[tuple[int, int]]:
    return [(point.in_features, point.tokens) for point in result.points]


def test_it_finds_the_border_and_leaves_out_what_is_certain() -> None:
    machine = Simulated(slope(600))
    result = sweep(machine)

    assert result.stopped == "done"
    assert len(result.points) == len(machine.asked) == len(set(places(result))) < SPEC.grid.points / 2
    assert {(512, 16), (768, 16), (512, 1024), (768, 1024)} <= set(places(result))
    (rule,) = result.rules
    assert rule.finding == "from"
    assert "pays from width 768 at 16 to 1024 tokens (slower at 512)" in rule.text
    (contour,) = result.contours
    (line,) = contour.lines
    assert {round(width) for width, _ in line} == {600}
    assert (min(tokens for _, tokens in line), max(tokens for _, tokens in line)) == (16, 1024)


def test_one_request_holds_every_n_and_variant_of_a_size() -> None:
    spec = dataclasses.replace(SPEC, n_blocks=(4, 8, 5), variants=("it", "ot"), passes=("forward", "train_step"))
    machine = Simulated(slope(600))
    result = sweep(machine, spec)

    assert {each.n_blocks for each in machine.asked} == {(4, 8)}
    assert {each.variants for each in machine.asked} == {("it", "ot")}
    assert {each.passes for each in machine.asked} == {("forward", "train_step")}
    assert {skipped.n_blocks for skipped in result.skipped} == {5}
    assert all(len(point.figures) == 8 for point in result.points)
    assert len(result.rules) == len(result.contours) == 8


def test_the_budget_ends_it_and_what_is_there_is_near_the_border() -> None:
    machine = Simulated(slope(600, by_tokens=0.2), seconds=10.0)
    whole = sweep(Simulated(slope(600, by_tokens=0.2)))
    result = sweep(machine, dataclasses.replace(SPEC, max_seconds=220))

    assert result.stopped == "budget"
    assert machine.now_s <= 221
    assert 15 <= len(result.points) < len(whole.points)
    assert "time budget ended before everything near 1.0x" in result.reading
    assert result.rules[0].faster > 0 < result.rules[0].slower


def test_a_point_that_outlives_the_budget_is_cut_off_and_named() -> None:
    machine = Simulated(slope(600), seconds=90.0)
    result = sweep(machine, dataclasses.replace(SPEC, max_seconds=70))

    assert (result.stopped, len(result.points)) == ("budget", 0)
    assert machine.now_s == 70
    assert "was under way when the time budget ended" in result.warnings[0]


def test_a_budget_that_is_too_small_for_anything_gives_a_result_that_says_so() -> None:
    result = sweep(Simulated(slope(600)), dataclasses.replace(SPEC, max_seconds=0.5))

    assert (result.stopped, result.points, result.environment) == ("budget", (), None)
    assert "0 of 63 sizes measured" in result.reading


def test_max_points_is_never_passed() -> None:
    result = sweep(Simulated(slope(600)), dataclasses.replace(SPEC, max_points=11))
    assert (result.stopped, len(result.points)) == ("max_points", 11)


def test_cancelling_keeps_the_points_before() -> None:
    result = sweep(Simulated(slope(600), cancel_after=5))
    assert (result.stopped, len(result.points)) == ("cancelled", 4)
    assert "stopped before everything" in result.reading


def test_a_sweep_that_is_cancelled_before_it_starts_measures_nothing() -> None:
    cancel = threading.Event()
    cancel.set()
    machine = Simulated(slope(600))
    assert sweep(machine, cancel=cancel).stopped == "cancelled"
    assert machine.asked == []


def test_going_on_takes_over_what_is_known_and_ends_where_one_go_would_have() -> None:
    first = sweep(Simulated(slope(600), cancel_after=9))
    machine = Simulated(slope(600))
    known = [point.run for point in first.points if point.run]
    result = sweep(machine, known=known)
    whole = sweep(Simulated(slope(600)))

    assert sorted(places(result)) == sorted(places(whole))
    assert [point.reused for point in result.points].count(True) == 8
    assert len(machine.asked) == len(whole.points) - 8
    assert (result.rules, result.contours) == (whole.rules, whole.contours)


def test_a_known_point_of_another_time_budget_is_the_same_point() -> None:
    machine = Simulated(slope(600))
    known = [machine.run(dataclasses.replace(each, max_seconds=7.0)) for each in asked_in_full()]
    assert all(point.reused for point in sweep(machine, known=known).points)
    assert machine.asked == []


def asked_in_full() -> list[BenchmarkSpec]:
    machine = Simulated(slope(600))
    sweep(machine)
    return machine.asked


def test_known_points_of_another_environment_are_refused_with_a_sentence() -> None:
    older = Simulated(slope(300), environment=dataclasses.replace(HERE, torch_version="2.11.0"))
    known = [point.run for point in sweep(older).points if point.run]
    machine = Simulated(slope(600))
    result = sweep(machine, known=known)

    assert not any(point.reused for point in result.points)
    assert (
        "measured in another environment and not taken over: torch version 2.11.0 instead of 2.13.0"
        in result.warnings[0]
    )
    assert {point.run.environment.torch_version for point in result.points if point.run} == {"2.13.0"}


def test_an_environment_that_was_foreseen_wrongly_costs_the_known_points_alone() -> None:
    machine = Simulated(slope(600))
    known = [machine.run(each) for each in asked_in_full()]
    wrong = dataclasses.replace(HERE, cpu_capability="AVX512")
    result = run_sweep(SPEC, run=machine, clock=machine.clock, here=lambda _spec: wrong, known=known)

    assert {(point.outcome, point.reused) for point in result.points} == {("measured", False)}
    assert "cpu capability AVX2 instead of AVX512" in result.warnings[0]


def test_known_points_are_left_when_they_are_not_wanted() -> None:
    known = [Simulated(slope(600)).run(each) for each in asked_in_full()]
    result = sweep(Simulated(slope(600)), dataclasses.replace(SPEC, reuse=False), known=known)
    assert not any(point.reused for point in result.points)


def test_known_points_of_other_conditions_are_not_looked_at() -> None:
    machine = Simulated(slope(600))
    others = [dataclasses.replace(each, dtype="bfloat16") for each in asked_in_full()]
    result = sweep(machine, known=[machine.run(each) for each in others])
    assert not any(point.reused for point in result.points)
    assert result.warnings == ()


def test_an_environment_that_changes_on_the_way_is_not_mixed_in() -> None:
    machine = Simulated(slope(600))
    changed = dataclasses.replace(HERE, threads=1)

    def on_point(_point: SweepPoint) -> None:
        machine.environment = changed

    result = sweep(machine, dataclasses.replace(SPEC, max_points=3), on_point=on_point)
    assert [point.outcome for point in result.points] == ["measured", "failed", "failed"]
    assert "threads 1 instead of 2" in result.points[1].detail


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [
        (SpecError([Problem("tokens", "this needs 9 bytes and cpu has 8 available", 16)]), "out_of_memory", "needs 9"),
        (BenchmarkFailed("the measuring process was killed by SIGKILL", exit_code=-9), "out_of_memory", "SIGKILL"),
        (BenchmarkFailed("it ended with exit code 70", stderr_tail="a trace"), "failed", "it ended with exit code 70"),
    ],
)
def test_trouble_at_a_point_is_its_result_and_the_sweep_goes_on(error: Exception, outcome: str, detail: str) -> None:
    corners = {(128, 16): error, (2048, 1024): error, (768, 64): error}
    result = sweep(Simulated(slope(600), trouble=corners))

    assert result.stopped == "done"
    troubled = [point for point in result.points if point.outcome != "measured"]
    assert {(point.in_features, point.tokens) for point in troubled} >= {(128, 16), (2048, 1024)}
    for point in troubled:
        assert (point.outcome, point.run) == (outcome, None)
        assert detail in point.detail
        assert {figure.outcome for figure in point.figures} == {outcome}
    assert result.rules[0].without_speed == len(troubled)
    assert f"At {len(troubled)} further size" in result.rules[0].text


def test_a_request_that_suits_no_size_of_this_machine_is_an_error() -> None:
    problem = SpecError([Problem("device", "must be a device of this machine", "cuda:7")])
    machine = Simulated(slope(600), trouble={(width, tokens): problem for width in WIDTHS for tokens in SPEC.tokens})
    with pytest.raises(SpecError, match="must be a device of this machine"):
        sweep(machine)


def test_progress_carries_every_figure_and_never_falls() -> None:
    seen: list[SweepProgress] = []
    result = sweep(Simulated(slope(600)), on_progress=seen.append)

    assert (seen[0].stage, seen[0].points) == ("starting", ())
    assert (seen[-1].stage, seen[-1].fraction, seen[-1].done) == ("finished", 1.0, len(result.points))
    fractions = [each.fraction for each in seen]
    assert fractions == sorted(fractions)
    assert [len(each.points) for each in seen[1:-1]] == list(range(1, len(result.points) + 1))
    assert set(seen[-1].points[0]) == {
        "width", "out_features", "tokens", "n", "variant", "implementation", "pass", "speedup", "low", "high", "outcome",
    }  # fmt: skip


def test_each_point_is_handed_out_as_soon_as_it_is_there() -> None:
    kept: list[SweepPoint] = []
    result = sweep(Simulated(slope(600), cancel_after=4), on_point=kept.append)
    assert tuple(kept) == result.points


def test_the_timing_budget_of_a_point_is_a_share_of_what_is_left() -> None:
    machine = Simulated(slope(600), seconds=5.0)
    sweep(machine, dataclasses.replace(SPEC, max_seconds=200))
    budgets = [each.max_seconds for each in machine.asked]
    assert all(1.0 <= budget <= 60.0 for budget in budgets)
    assert max(budgets) < 50


def test_a_real_tiny_sweep_measures_in_real_processes() -> None:
    spec = SweepSpec(widths=(32, 64), tokens=(8,), n_blocks=(4,), threads=1, max_seconds=60, target_interval=0.9)
    result = run_sweep(spec)

    assert result.stopped == "done"
    assert places(result) == [(32, 8), (64, 8)]
    assert all(figure.speedup for point in result.points for figure in point.figures)
    assert result.environment is not None
    again = run_sweep(spec, known=[point.run for point in result.points if point.run])
    assert [point.reused for point in again.points] == [True, True]
    assert again.rules == result.rules
