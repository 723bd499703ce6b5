"""``dyad bench`` as a user runs it; only where a process would cost seconds is the measurement made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.files import load_runs
from dyad_core.bench.measure import measure
from dyad_core.cli import bench, main
from dyad_core.errors import BenchmarkFailed

SIZES = ["bench", "--in", "48", "--out", "96"]


def dyad(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return 0 if caught.value.code is None else int(caught.value.code)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[BenchmarkSpec]:
    """Measure in this process; what was asked for is in the list."""
    asked: list[BenchmarkSpec] = []

    def run_benchmark(spec: BenchmarkSpec, **settings: object) -> BenchmarkRun:
        asked.append(spec)
        return measure(spec, on_progress=settings["on_progress"], warnings=["a note"])

    monkeypatch.setattr(bench, "run_benchmark", run_benchmark)
    return asked


def test_the_real_command_prints_json_and_nothing_else() -> None:
    options = ["--tokens", "8", "--blocks", "4", "8", "--variants", "it", "bd", "--max-seconds", "0.1", "--json"]
    code = "import sys; from dyad_core.cli import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *SIZES, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = BenchmarkRun.from_dict(json.loads(done.stdout))
    assert [each.label for each in run.candidates] == ["dense", "IT n=4", "BD n=4", "IT n=8", "BD n=8"]


def test_tables_reading_and_notes(in_process: list[BenchmarkSpec], capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        dyad(*SIZES, "--blocks", "4", "--tokens", "8", "--max-seconds", "0.1", "--passes", "forward", "train_step") == 0
    )
    text = capsys.readouterr().out
    for part in (
        "forward, 48 → 96",
        "training step, 48 → 96",
        "dense",
        "IT n=4",
        "median ms",
        "peak MiB",
        "Note: a note.",
    ):
        assert part in text


def test_a_candidate_without_speed_shows_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_benchmark(spec: BenchmarkSpec, **_: object) -> BenchmarkRun:
        return measure(BenchmarkSpec(48, 96, tokens=8, n_blocks=[4], implementations=["gone"], max_seconds=0.1))

    monkeypatch.setattr(bench, "run_benchmark", run_benchmark)
    assert dyad(*SIZES) == 0
    text = capsys.readouterr().out
    assert "unsupported" in text
    assert "Note: forward, IT n=4: implementation: must be a registered" in " ".join(text.split())


def test_every_option_reaches_the_request(in_process: list[BenchmarkSpec], capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--blocks 4,6 --variants dt --tokens 5 --dtype float64 --device cpu --passes train_step --module feed_forward "
        "--threads 1 --seed 9 --max-seconds 0.1 --implementations eager reference --grains 1 2 --peers low_rank monarch --allocator keep_pages --json"
    )
    assert dyad(*SIZES, *options.split()) == 0
    expected = BenchmarkSpec(
        48, 96, "feed_forward", 5, (4, 6), ("dt",), (1, 2), ("eager", "reference"), ("train_step",), "float64", "cpu", 1, 9, 0.1,
        ("low_rank", "monarch"), "keep_pages",
    )  # fmt: skip
    assert in_process == [expected]
    assert BenchmarkRun.from_dict(json.loads(capsys.readouterr().out)).spec == expected


def test_defaults_are_those_of_the_request(in_process: list[BenchmarkSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "run_benchmark", lambda spec, **_: in_process.append(spec))
    monkeypatch.setattr(bench, "show", lambda run: None)
    assert dyad("bench", "--in", "768", "--out", "3072") == 0
    assert in_process == [BenchmarkSpec(768, 3072)]


def test_a_saved_run_can_be_loaded(in_process: list[BenchmarkSpec], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert dyad(*SIZES, "--blocks", "4", "--tokens", "8", "--max-seconds", "0.1", "--save", str(path)) == 0
    assert [run.spec for run in load_runs(path)] == in_process


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--in 769 --out 3072 --blocks 4", "--in: must be divisible by --blocks=4; received 769 (nearest --blocks"),
        ("--in 0 --out -5", "--out: must be a positive integer; received -5"),
        ("--in 1099511627776 --out 1099511627776", "bytes"),
        ("--in 48 --out 96 --variants xx", "--variants: must be among it, ot, dt, bd; received 'xx'"),
        ("--in 48 --out 96 --dtype int8", "--dtype: must be one of"),
        ("--in 48 --out 96 --device tpu", "--device: must be cpu, cuda or cuda:<index>"),
        ("--in 48 --out 96 --device cuda:98", "devices here: cpu"),
        ("--in 48 --out 96 --max-seconds nan", "--max-seconds: must be a number"),
        ("--in 48 --out 96 --implementations none", "in float32: auto, "),
        ("--in 48 --out 96 --grains 5", "--grains: "),
        ("--in 48 --out 96 --peers toeplitz", "--peers: must be among low_rank, monarch"),
        ("--in 48 --out 96 --allocator none", "--allocator: must be one of default, keep_pages"),
        ("--in 48 --out 96 --save /no/such/folder/run.json", "--save: must name a file in a folder that exists"),
        ("--in 48 --out 96 --blocks four", "--blocks"),
        ("--in 48 --out 96 --blocks", "--blocks"),
        ("--in 48", "--out"),
        ("--in 48 --out 96 stray", "stray"),
        ("--in 48 --out 96 --unknown 5", "--unknown"),
    ],
)
def test_wrong_input_is_sentences_and_exit_code_2(
    options: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "300")
    assert dyad("bench", *options.split()) == 2
    written = capsys.readouterr()
    assert said in written.err
    assert "Traceback" not in written.err
    assert written.out == ""


def test_a_failed_measurement_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_benchmark(*_: object, **__: object) -> None:
        raise BenchmarkFailed("the measuring process ended with exit code 3", exit_code=3, stderr_tail="Traceback ...")

    monkeypatch.setattr(bench, "run_benchmark", run_benchmark)
    assert dyad(*SIZES) == 1
    assert capsys.readouterr().err.strip() == "the measuring process ended with exit code 3"


def test_interrupting_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run_benchmark(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "run_benchmark", run_benchmark)
    assert dyad(*SIZES) == 130
    assert "interrupted" in capsys.readouterr().err
