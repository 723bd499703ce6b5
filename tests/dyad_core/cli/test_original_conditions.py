"""``dyad original-conditions`` in the terminal: the replay, a measurement, and the refusal on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dyad_core.bench.files import load_runs
from dyad_core.bench.machine import cpu_flags, emulated_dtypes
from dyad_core.bench.original_conditions import published_conditions
from dyad_core.cli import original_conditions as command
from dyad_core.cli.original_conditions import app

EMULATED = "float16" in emulated_dtypes(cpu_flags())


def call(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [str(argument) for argument in arguments])


def test_the_replay_says_what_the_figure_is_made_of() -> None:
    result = call()
    words = " ".join(result.stdout.split())

    assert result.exit_code == 0
    for expected in (
        "NOT LIKE FOR LIKE (published rows)",
        "opt-125m 768→3072 IT n=4 total 3.22x 1.10x 2.92x",
        "4.302 ms / 1.338 ms = 3.22x",
        "3.2x = 1.1x of structure × 2.9x of precision",
        "14 further published layers have float32 rows only",
        "Source: asappresearch/dyad",
    ):
        assert expected in words


def test_json_is_the_record_of_the_library() -> None:
    assert json.loads(call("--json").stdout) == published_conditions().to_dict()


@pytest.mark.skipif(not EMULATED, reason="this processor has float16 arithmetic")
def test_a_processor_that_emulates_float16_is_refused_with_the_replay_offered() -> None:
    result = call("--measure", "--device", "cpu")

    assert result.exit_code == 2
    assert "without --measure" in result.stderr


def test_it_measures_two_runs_that_are_each_like_for_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.json"
    result = call("--measure", "--anyway", "--device", "cpu", "--in", 64, "--out", 64, "--tokens", 8,
                  "--max-seconds", 0.4, "--save", path, "--json")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    values = json.loads(result.stdout)
    (layer,) = values["decompositions"]
    part = layer["parts"][0]
    assert part["headline"]["ratio"] == pytest.approx(part["structure"]["ratio"] * part["precision"]["ratio"])
    assert any("emulated" in caveat for caveat in values["caveats"]) == EMULATED
    assert [run.spec.dtype for run in load_runs(path)] == ["float32", "float16"]
    # The table, of the same two runs.
    known = {run.spec.dtype: run for run in load_runs(path)}
    monkeypatch.setattr(command, "measured", lambda spec, **_: known[spec.dtype])
    shown = " ".join(call("--measure", "--anyway", "--device", "cpu", "--in", 64, "--out", 64, "--tokens", 8,
                          "--max-seconds", 0.4).stdout.split())  # fmt: skip
    assert "which is not like for like" in shown


def test_wrong_input_is_a_sentence() -> None:
    result = call("--measure", "--device", "cuda", "--in", 63, "--variant", "xt")

    assert result.exit_code == 2
    assert "--variant" in result.stderr
