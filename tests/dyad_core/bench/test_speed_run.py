"""Running the suite: quiet first, points into one file, going on, repeating what was disturbed; nothing is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, speed_run
from dyad_core.bench import __main__ as bare
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.bench.speed_run import Remaining, SpeedOptions, measure_points, run_speed, wait_for_quiet, within
from dyad_core.bench.speed_suite import Point, points
from dyad_core.cli import main
from dyad_core.errors import BenchmarkFailed

DISTURBED = "forward: disturbed: other work kept 1.0 of 2 processors busy"
MadeUp = Callable[..., BenchmarkRun]


@pytest.fixture
def made_up(make_run: Any, make_candidate: Any) -> MadeUp:
    def make(spec: BenchmarkSpec, *warnings: str) -> BenchmarkRun:
        run = make_run(make_candidate(chosen_by_auto=True))
        return dataclasses.replace(run, spec=spec, warnings=warnings)

    return make


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_run, "others_share", lambda seconds: 0.0)
    monkeypatch.setattr(speed_run, "rate", lambda device: 110e9)


def specs(count: int = 3) -> list[BenchmarkSpec]:
    return [BenchmarkSpec(48, 96, tokens=tokens, n_blocks=(4,)) for tokens in range(1, count + 1)]


def test_a_quiet_machine_is_taken_at_once(quiet: None) -> None:
    assert wait_for_quiet(lambda line: pytest.fail(line))


def test_a_busy_machine_is_waited_for_and_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.5, 0.4, 0.05])
    monkeypatch.setattr(speed_run, "others_share", lambda seconds: next(shares))
    said: list[str] = []
    assert wait_for_quiet(said.append, wait_s=60)
    assert said == ["other work keeps 50% of the processors busy; waiting up to 60 s for it to end"]
    monkeypatch.setattr(speed_run, "others_share", lambda seconds: 0.5)
    assert not wait_for_quiet(said.append, wait_s=0)
    assert "--anyway measures all the same" in said[-1]
    monkeypatch.setattr(speed_run, "others_share", lambda seconds: None)
    assert wait_for_quiet(said.append)


def test_a_busy_machine_stops_the_suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed_run, "wait_for_quiet", lambda say: False)
    assert run_speed(SpeedOptions("cpu", tmp_path / "out.json"), say=str, run=lambda spec: pytest.fail("ran")) == 1


def test_points_go_into_one_file_and_what_was_disturbed_is_repeated_once(made_up: MadeUp, tmp_path: Path) -> None:
    wanted, asked, said = specs(), [], []

    def run(spec: BenchmarkSpec) -> BenchmarkRun:
        asked.append(spec.tokens)
        again = asked.count(spec.tokens) == 2
        if spec.tokens == 2 or (spec.tokens == 3 and not again):
            return made_up(spec, DISTURBED)
        return made_up(spec)

    known: dict[BenchmarkSpec, BenchmarkRun] = {}
    assert measure_points(wanted, known, tmp_path / "out.json", 1e11, say=said.append, run=run) == 0
    assert asked == [1, 2, 3, 2, 3]
    runs = load_runs(tmp_path / "out.json")
    assert [run.spec.tokens for run in runs] == [1, 2, 3]
    assert [bool(run.warnings) for run in runs] == [False, True, False]
    assert "2 points were disturbed and are measured once more" in said


def test_a_point_that_fails_is_said_and_counted(made_up: MadeUp, tmp_path: Path) -> None:
    def run(spec: BenchmarkSpec) -> BenchmarkRun:
        if spec.tokens == 2:
            raise BenchmarkFailed("it ended with exit code 9", exit_code=9)
        return made_up(spec)

    said: list[str] = []
    assert measure_points(specs(), {}, tmp_path / "out.json", 1e11, say=said.append, run=run) == 1
    assert "  it ended with exit code 9" in said
    assert len(load_runs(tmp_path / "out.json")) == 2


def test_a_full_grid_goes_on_from_its_file(
    quiet: None, made_up: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = specs()
    monkeypatch.setattr(speed_run, "full_grid", lambda *_, **__: [Point(spec) for spec in wanted])
    monkeypatch.setattr(speed_run, "__version__", "0.1.0")
    monkeypatch.setattr(speed_run.torch, "__version__", "2.13.0")
    out = tmp_path / "out.json"
    save_runs(out, [made_up(wanted[0]), made_up(BenchmarkSpec(64, 64))])
    asked: list[int] = []
    said: list[str] = []

    def run(spec: BenchmarkSpec) -> BenchmarkRun:
        asked.append(spec.tokens)
        return made_up(spec)

    assert run_speed(SpeedOptions("cpu", out, full=True), say=said.append, run=run) == 0
    assert asked == [2, 3]
    assert f"1 of 3 points are in {out} already" in said
    assert [each.spec.tokens for each in load_runs(out)] == [1, 2, 3]
    monkeypatch.setattr(speed_run, "__version__", "0.2.0")
    asked.clear()
    run_speed(SpeedOptions("cpu", out, full=True), say=said.append, run=run)
    assert asked == [1, 2, 3]


def test_a_slow_machine_leaves_out_what_has_no_target() -> None:
    said: list[str] = []
    wanted = points()
    assert within(wanted, 110e9, said.append) == wanted
    slow = within(wanted, 20e9, said.append)
    assert [point for point in slow if point.required] == [point for point in wanted if point.required]
    assert len(slow) < len(wanted)
    assert "without a target are left out" in said[-1]


def test_the_rest_is_estimated_from_what_the_points_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 200.0])
    monkeypatch.setattr(speed_run.time, "monotonic", lambda: next(clock))
    remaining = Remaining([100.0, 100.0, 5000.0])
    assert remaining.text(0) == "about 87 min left"
    remaining.took(0)
    assert remaining.text(2) == "about 2.8 h left"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, quiet: None) -> Iterator[None]:
    small = BenchmarkSpec(48, 96, tokens=8, n_blocks=(4,), implementations=("auto", "original"), max_seconds=0.05)
    monkeypatch.setattr(speed_run, "points", lambda *_, **__: [Point(small)])
    return iter(())


def test_both_commands_measure_for_real(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    assert bare.main(["--suite", "speed", "--quick", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "IT n=4" in said.err
    assert "1 standings of auto at 1 points" in said.err
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--suite", "speed", "--quick", "--resume", "--save", str(out), "--json"])
    assert caught.value.code == 0
    said = capsys.readouterr()
    assert load_runs(said.out.encode()) == load_runs(out)
    assert "1 of 1 points are in" in said.err
