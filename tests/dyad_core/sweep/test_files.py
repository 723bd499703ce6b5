"""Sweep files: what is written comes back to the last digit, and nothing in a file is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_tools import Simulated, slope

from dyad_core.errors import BenchmarkFailed, SpecError
from dyad_core.sweep import SweepResult, SweepSpec, load_sweep, run_sweep, save_sweep
from dyad_core.sweep.files import parse_sweep, sweep_from_dict

SPEC = SweepSpec(widths=(100, 256, 512, 1024), tokens=(16, 256), n_blocks=(4, 8), passes=("forward", "train_step"))


@pytest.fixture(scope="module")
def result() -> SweepResult:
    machine = Simulated(slope(600), trouble={(1024, 256): BenchmarkFailed("it broke")})
    return run_sweep(SPEC, run=machine, clock=machine.clock, here=machine.here)


def test_a_file_comes_back_as_it_was(result: SweepResult, tmp_path: Path) -> None:
    save_sweep(tmp_path / "sweep.json", result)
    assert load_sweep(tmp_path / "sweep.json") == result
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.json"]


def test_the_words_are_made_anew_from_the_figures(result: SweepResult) -> None:
    values = result.to_dict()
    values["reading"], values["rules"], values["contours"] = "DYAD always pays.", [], []
    for point in values["points"]:
        point["figures"] = []
    assert sweep_from_dict(values) == result


def test_json_names_the_pass_as_everywhere(result: SweepResult) -> None:
    values = result.to_dict()
    text = json.dumps(values)
    assert '"pass_"' not in text
    assert values["points"][0]["figures"][0]["pass"] == "forward"
    assert values["points"][0]["run"]["candidates"][0]["pass"] == "forward"
    assert values["rules"][0]["pass"] == values["contours"][0]["pass"] == "forward"
    assert values["skipped"][0] == {
        "in_features": 100, "out_features": 400, "n_blocks": 8, "reason": "in_features must be divisible by n_blocks=8",
    }  # fmt: skip


def changed(result: SweepResult, change: Callable[[dict[str, Any]], object]) -> bytes:
    values = result.to_dict()
    change(values)
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (lambda v: v.update(schema_version=2), "schema_version", "update dyad-explorer"),
        (lambda v: v.update(schema_version="1"), "schema_version", "must be an integer"),
        (lambda v: v.update(colour=1), "colour", "is not a field"),
        (lambda v: v.pop("spec"), "spec", "must be an object"),
        (lambda v: v.update(points={}), "points", "must be a list"),
        (lambda v: v.update(points=[1]), "points.0", "must be an object"),
        (lambda v: v.update(stopped="tired"), "sweep.stopped", "must be one of"),
        (lambda v: v.update(duration_s="1"), "sweep.duration_s", "must be float"),
        (lambda v: v.update(created_at="yesterday"), "created_at", "a moment with its time zone"),
        (lambda v: v.update(created_at="2026-01-02T03:04:05"), "created_at", "a moment with its time zone"),
        (lambda v: v["spec"].update(widths=[0]), "spec.widths", "positive integer"),
        (lambda v: v["points"][0].update(tokens=17), "points.0.in_features", "on the lattice"),
        (lambda v: v["points"][0].update(outcome="good"), "points.0.outcome", "must be one of"),
        (lambda v: v["points"][0]["run"]["spec"].update(tokens=17), "points.0.run.spec", "a run of its point"),
        (lambda v: v["points"][0]["run"]["spec"].update(dtype="float16"), "points.0.run.spec", "a run of its point"),
        (lambda v: v["points"][0]["run"].pop("environment"), "points.0.run.environment", "must be an object"),
        (
            lambda v: v["points"][0]["run"]["candidates"][1].update(speedup=-1.0),
            "points.0.run.candidates.1.speedup",
            "must be above 0",
        ),
    ],
)
def test_a_wrong_file_names_its_field(result: SweepResult, change: Any, field: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_sweep(changed(result, change))
    (problem, *_) = caught.value.problems
    assert problem.field == field
    assert said in str(problem)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\x80\x04pickle", b'{"schema_version": 1}', b"[" * 5000])
def test_what_is_no_sweep_is_refused_in_a_sentence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(data)
    with pytest.raises(SpecError):
        load_sweep(path)


def test_a_file_that_cannot_be_read_or_written_is_named(result: SweepResult, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be readable"):
        load_sweep(tmp_path / "none.json")
    with pytest.raises(SpecError, match="must be writable"):
        save_sweep(tmp_path / "none" / "sweep.json", result)
