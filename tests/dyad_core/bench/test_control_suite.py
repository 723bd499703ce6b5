from __future__ import annotations

import dataclasses
import json

import pytest

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.control_suite import at_least, control_lines, control_specs, controls
from dyad_core.bench.measure import measure
from dyad_core.cli import bench_suites, main


def small(spec: BenchmarkSpec) -> BenchmarkRun:
    """A real run of the same passes at a size that takes no time."""
    return measure(dataclasses.replace(spec, in_features=32, out_features=64, tokens=8, max_seconds=0.1))


def test_each_request_holds_a_second_dense_twin_in_both_passes() -> None:
    specs = control_specs()
    assert len(specs) == 12
    assert len({(spec.in_features, spec.out_features, spec.tokens) for spec in specs}) == len(specs)
    assert all(spec.peers == ("dense_again",) and spec.passes == ("forward", "train_step") for spec in specs)
    found = controls(small(specs[0]))
    assert [control.candidate.pass_ for control in found] == ["forward", "train_step"]
    assert all(control.line.startswith("dense against dense, 32→64, 8 tokens, ") for control in found)


def test_the_last_line_judges_the_number_of_wrong_ones() -> None:
    def wrong(spec: BenchmarkSpec) -> BenchmarkRun:
        run = small(spec)
        candidates = tuple(
            dataclasses.replace(each, outcome="faster") if each.variant == "dense_again" else each
            for each in run.candidates
        )
        return dataclasses.replace(run, candidates=candidates)

    *lines, (last, is_good) = control_lines(control_specs(quick=True), run=wrong)
    assert len(lines) == 4
    assert all("called faster" in line for line, _ in lines)
    assert not is_good
    assert last.startswith("4 of 4 equals were called different: MORE THAN CHANCE ALLOWS")


def test_the_binomial_tail() -> None:
    assert at_least(0, 10, 0.05) == pytest.approx(1.0)
    assert at_least(1, 10, 0.05) == pytest.approx(1 - 0.95**10)
    assert at_least(10, 10, 0.05) == pytest.approx(0.05**10)


def test_the_command_prints_both_parts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_suites, "calibration_lines", lambda runs: iter([(f"{runs} simulated", True)]))
    monkeypatch.setattr(bench_suites, "control_lines", lambda specs: iter([(f"{len(specs)} real", False)]))
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--suite", "calibration", "--json"])
    assert caught.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert said == [{"line": "1000 simulated", "passed": True}, {"line": "12 real", "passed": False}]
