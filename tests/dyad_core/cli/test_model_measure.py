"""``dyad model measure`` as a user runs it; one real measurement of a tiny model, the rest on made-up runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from model_tools import OPT, made_up_model_run

from dyad_core.cli import main, model_measure
from dyad_core.errors import BenchmarkFailed, Problem, SpecError
from dyad_core.models.measuring import load_model_run
from dyad_core.models.records import ModelRun
from dyad_core.models.spec import ModelSpec


def dyad(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return 0 if caught.value.code is None else int(caught.value.code)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ModelSpec]:
    """Requests that would be measured; each is answered with a made-up run."""
    specs: list[ModelSpec] = []

    def run(spec: ModelSpec, **_: object) -> ModelRun:
        specs.append(spec)
        return made_up_model_run(spec=spec)

    monkeypatch.setattr(model_measure, "run_model", run)
    return specs


def test_a_tiny_model_is_measured_saved_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, file = tmp_path / "config.json", tmp_path / "run.json"
    config.write_text(json.dumps(OPT), encoding="utf-8")
    options = ["--blocks", "4", "--batch", "2", "--sequence", "8", "--threads", "1", "--max-seconds", "0.3"]
    passes = ["--passes", "train_step", "prefill", "decode"]
    assert dyad("model", "measure", "--config", str(config), *options, *passes, "--save", str(file)) == 0
    run = load_model_run(file)
    assert [each.pass_ for each in run.candidates] == ["train_step"] * 2 + ["prefill"] * 2 + ["decode"] * 2
    text = " ".join(capsys.readouterr().out.split())
    assert run.reading.split(":")[0] in text
    assert "rest of block" in text
    assert "IT n=4" in text


def test_every_flag_reaches_the_request(asked: list[ModelSpec]) -> None:
    flags = (
        "--blocks 4 8 --variants it ot --modes layers feed_forward --names *.fc1 --grain 2 --batch 3 --sequence 16 "
        "--dtype bfloat16 --optimizer sgd --checkpointing --passes prefill --no-parts --device cpu --threads 2 "
        "--float32-matmul-precision high --compile --implementation eager --seed 5 --max-seconds 7 --target-interval 0.1"
    )
    assert dyad("model", "measure", "opt-125m", *flags.split()) == 0
    assert asked == [
        ModelSpec(
            "opt-125m", (4, 8), ("it", "ot"), ("layers", "feed_forward"), ("*.fc1",), 2, 3, 16, "bfloat16", "sgd",
            checkpointing=True, passes=("prefill",), parts=False, threads=2, float32_matmul_precision="high",
            compile=True, implementation="eager", seed=5, max_seconds=7.0, target_interval=0.1,
        )
    ]  # fmt: skip


def test_json_is_the_run_and_nothing_else(asked: list[ModelSpec], capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("model", "measure", "opt-125m", "--json") == 0
    assert json.loads(capsys.readouterr().out)["spec"] == asked[0].to_dict()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["opt-125m", "--blocks", "0"], "--blocks"),
        ([], "--config"),
        (["opt-125m", "--passes", "backward"], "--passes"),
        (["opt-125m", "--save", "/nowhere/run.json"], "--save"),
        (["--config", "/nowhere/config.json"], "config"),
        (["--suite", "speed"], "--suite"),
        (["--suite", "reference"], "--save"),
    ],
)
def test_wrong_input_is_said_with_the_flag(
    asked: list[ModelSpec], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyad("model", "measure", *arguments) == 2
    assert said in capsys.readouterr().err
    assert asked == []


def test_a_suite_writes_one_file_each_and_goes_on_where_it_ended(
    asked: list[ModelSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = ["model", "measure", "--suite", "reference", "--device", "cuda", "--save", str(tmp_path)]
    answer = model_measure.run_model

    def run(spec: ModelSpec, **options: object) -> ModelRun:
        if spec.config == "opt-1.3b":
            raise BenchmarkFailed("it broke")
        if spec.config == "opt-350m":
            raise SpecError([Problem("config", "must fit", "opt-350m")])
        return answer(spec, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(model_measure, "run_model", run)
    assert dyad(*suite) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{model}-{shape}-bfloat16-cuda.json" for model in ("opt-125m", "pythia-160m") for shape in ("32x128", "8x2048")
    ]
    assert "opt-1.3b-32x128-bfloat16-cuda.json: it broke" in capsys.readouterr().err
    measured = len(asked)
    assert dyad(*suite) == 1
    assert len(asked) == measured
