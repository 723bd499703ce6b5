"""``dyad verdict`` in the terminal: exit codes for CI, files, thresholds, JSON, and a real measurement."""

from __future__ import annotations

import dataclasses
import json
import platform
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from verdict_cases import candidate, finished

from dyad_core.bench import BenchmarkRun
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.cli.verdict import app
from dyad_core.verdict import Verdict, decide


def call(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(argument) for argument in arguments])


def file_of(folder: Path, *runs: BenchmarkRun) -> Path:
    path = folder / "results.json"
    save_runs(path, runs)
    return path


@pytest.mark.parametrize(
    ("low", "high", "arguments", "code", "head"),
    [
        (1.5, 1.7, (), 0, "Swap: "),
        (0.5, 0.7, (), 1, "Do not swap: "),
        (0.9, 1.1, (), 3, "Not distinguishable from 1.0x: "),
        (1.1, 1.15, ("--require", 1.2), 1, "Do not swap: "),
        (1.1, 1.3, ("--require", 1.2), 3, "Not distinguishable from 1.2x: "),
        (1.5, 1.7, ("--max-loss", 0.01), 3, "It depends on quality: "),
    ],
)
def test_the_exit_code_is_the_decision(
    tmp_path: Path, low: float, high: float, arguments, code: int, head: str
) -> None:
    result = call(file_of(tmp_path, finished(candidate(low, high))), *arguments)

    assert result.exit_code == code, result.output
    assert result.stdout.startswith(head)
    words = " ".join(result.stdout.split())
    assert "Structure: the layer connects 43.8 %" in words
    assert "Quality: published scores are" in words
    assert "Rests on: " in words
    assert "Note: imported: measured on another machine" in words


def test_passes_that_disagree_are_code_3_and_one_can_be_asked_for(tmp_path: Path) -> None:
    path = file_of(tmp_path, finished(candidate(1.5), candidate(0.5, pass_="train_step")))

    assert call(path).exit_code == 3
    assert call(path, "--passes", "forward").exit_code == 0
    assert call(path, "--passes", "train_step").exit_code == 1


def test_json_is_the_record_of_the_library_with_the_other_candidates(tmp_path: Path) -> None:
    run = finished(candidate(1.5), candidate(0.5, n_blocks=8))
    path = file_of(tmp_path, run)
    values = json.loads(call(path, "--json").stdout)
    others = values.pop("others")

    assert Verdict.from_dict(values) == decide(run, origin="imported", address=str(path))
    assert [each["decision"] for each in others] == ["do_not_swap"]
    assert "do not swap" in call(path).stdout
    chosen = call(path, "--blocks", 8, "--json")
    assert (chosen.exit_code, json.loads(chosen.stdout)["geometry"]["n_blocks"]) == (1, 8)


def test_a_file_of_several_runs_has_a_sentence_each_and_one_code(tmp_path: Path) -> None:
    path = file_of(tmp_path, finished(candidate(1.5)), finished(candidate(0.5)))

    both = call(path)
    assert both.exit_code == 3
    assert " ".join(both.stdout.split()).count("x of dense") == 2
    assert "Quality" not in both.stdout
    assert [each["decision"] for each in json.loads(call(path, "--json").stdout)["verdicts"]] == ["swap", "do_not_swap"]
    assert call(path, "--run", 0).exit_code == 0
    assert call(path, "--run", 1).exit_code == 1


def test_a_run_of_this_host_is_not_called_foreign(tmp_path: Path) -> None:
    run = finished(candidate())
    here = dataclasses.replace(run, environment=dataclasses.replace(run.environment, hostname=platform.node()))

    assert "another machine" not in call(file_of(tmp_path, here)).stdout


def test_without_a_file_it_measures_here_and_saves_what_it_rests_on(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    result = call("--in", 64, "--out", 64, "--blocks", 4, "--tokens", 8, "--threads", 1, "--max-seconds", 0.2,
                  "--save", path, "--json")  # fmt: skip

    values = json.loads(result.stdout)
    assert result.exit_code in (0, 1, 3), result.stderr
    assert values["conditions"]["origin"] == "local"
    assert values["passes"][0]["time"] is not None
    (run,) = load_runs(path)
    values.pop("others")
    assert Verdict.from_dict(values) == decide(run, address=str(path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--in", 64), "--out: is required"),
        (("--in", 64, "--out", 64, "--require", 0, "--tokens", 0), "--require: must be a number above 0"),
        (("--in", 64, "--out", 64, "--require", 0, "--tokens", 0), "--tokens: must be a positive integer"),
        (("--in", 64, "--out", 64, "--run", 1), "--run: chooses a run of a result file"),
        (
            ("--in", 64, "--out", 64, "--save", "/absent/folder/x.json"),
            "--save: must name a file in a folder that exists",
        ),
        (("absent.json",), "absent.json: file: must be readable"),
    ],
)
def test_wrong_input_is_code_2_and_a_sentence(arguments: tuple[object, ...], words: str) -> None:
    result = call(*arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--variants", "ot"), "--variants: must be one that this run measured; received 'ot' (it measured it)"),
        (("--blocks", 4, 8), "--blocks: must be one value where a finished run is judged"),
        (("--tokens", 3), "--tokens: cannot be chosen for a run that is over"),
        (("--run", 1), "--run: must be from 0 to 0, for the file holds 1"),
        (("--passes", "decode"), "--passes: must be among those that this run measured"),
        (("--implementations", "triton"), "--implementations: must be one that this run measured"),
        (("--save", "x.json"), "--save: writes what was measured, and nothing is"),
        (("--max-loss", 2), "--max-loss: must be a share from 0 to 1"),
    ],
)
def test_what_a_finished_run_cannot_answer_is_refused(tmp_path: Path, arguments, words: str) -> None:
    result = call(file_of(tmp_path, finished(candidate())), *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


def test_the_codes_are_in_the_help() -> None:
    words = " ".join(call("--help").output.split())

    for each in ("0 swap", "1 do not swap", "3 it depends", "2 wrong input", "4 it could not be measured"):
        assert each in words
