"""``dyad sweep`` as a user runs it, on a simulated machine; one real one as a process of its own that is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from service_tools import wait_until
from sweep_tools import Simulated, slope

from dyad_core.cli import main, sweep
from dyad_core.errors import BenchmarkFailed
from dyad_core.sweep import SweepResult, SweepSpec, load_sweep, run_sweep
from dyad_core.sweep.files import sweep_from_dict

SMALL = ["sweep", "--widths", "128", "256", "512", "1024", "--tokens", "16", "64", "--blocks", "4"]


def dyad(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return 0 if caught.value.code is None else int(caught.value.code)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Simulated:
    """Points are simulated; all else is the command's own."""
    simulated = Simulated(slope(300))

    def run(spec: SweepSpec, **options: object) -> SweepResult:
        return run_sweep(spec, run=simulated, clock=simulated.clock, here=simulated.here, **options)

    monkeypatch.setattr(sweep, "run_sweep", run)
    return simulated


def test_maps_rules_and_what_was_left_out(machine: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("sweep", "--widths", "100,256,512,1024", "--tokens", "16", "64", "--blocks", "4", "8") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "forward, IT n=4: times dense, tokens down, width across" in text
    assert "pays from width 512 at 16 to 64 tokens (slower at 256)." in text
    assert "Left out: 100→400 n=8: in_features must be divisible by n_blocks=8." in text
    assert "1.31" in text
    assert "·" in text


def test_json_is_the_result_and_nothing_else(machine: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad(*SMALL, "--json") == 0
    result = sweep_from_dict(json.loads(capsys.readouterr().out))
    assert (result.stopped, result.spec) == (
        "done",
        SweepSpec(widths=(128, 256, 512, 1024), tokens=(16, 64), n_blocks=(4,)),
    )


def test_every_option_reaches_the_request(machine: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--sizes 64:128 96:96 --tokens 8 --blocks 4 6 --variants it bd --grain 2 --implementations auto eager "
        "--module feed_forward --passes forward train_step --dtype float64 --threads 1 --seed 9 --optimizer sgd --compile "
        "--float32-matmul-precision high --cache flushed --allocator keep_pages --target-interval 0.2 --max-seconds 99 "
        "--max-points 7 --yes --json"
    )
    assert dyad("sweep", *options.split()) == 0
    assert sweep_from_dict(json.loads(capsys.readouterr().out)).spec == SweepSpec(
        sizes=((64, 128), (96, 96)), tokens=(8,), n_blocks=(4, 6), variants=("it", "bd"), grain=2,
        implementations=("auto", "eager"), module="feed_forward", passes=("forward", "train_step"), dtype="float64",
        threads=1, seed=9, optimizer="sgd", compile=True, float32_matmul_precision="high", cache="flushed",
        allocator="keep_pages", target_interval=0.2, max_seconds=99.0, max_points=7, confirmed=True,
    )  # fmt: skip


def test_a_saved_sweep_is_gone_on_with(machine: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "map.json"
    machine.cancel_after = 4
    assert dyad(*SMALL, "--save", str(path)) == 130
    assert "its 3 points are in" in capsys.readouterr().err
    assert (load_sweep(path).stopped, len(load_sweep(path).points)) == ("cancelled", 3)

    machine.cancel_after = None
    assert dyad(*SMALL, "--save", str(path), "--resume") == 0
    result = load_sweep(path)
    assert result.stopped == "done"
    assert sum(point.reused for point in result.points) == 3


def test_resume_without_a_file_yet_begins(machine: Simulated, tmp_path: Path) -> None:
    assert dyad(*SMALL, "--save", str(tmp_path / "new.json"), "--resume") == 0


def test_an_early_end_is_said_and_is_no_failure(machine: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad(*SMALL, "--max-points", "2") == 0
    assert "--max-points ended before everything near 1.0x was measured" in capsys.readouterr().err


def test_nothing_compared_anywhere_is_a_failure(machine: Simulated, capsys: pytest.CaptureFixture[str]) -> None:
    broken = BenchmarkFailed("it broke")
    machine.trouble = {(width, tokens): broken for width in (128, 256, 512, 1024) for tokens in (16, 64)}
    assert dyad(*SMALL) == 1
    assert "could not be compared anywhere: failed at 6 sizes" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--widths 0", "--widths: must be a positive integer"),
        ("--widths 64 --max-seconds 0", "--max-seconds: must be a number of seconds above 0"),
        ("--widths 64 --sizes 64:64", "--widths: must not be given beside sizes"),
        ("--sizes 64x64", "--sizes: must be pairs in:out; received '64x64'"),
        ("--widths 65 --blocks 4", "in_features must be divisible by"),
        ("--resume", "--resume: must come with --save"),
        ("--save /nowhere/map.json", "--save: must name a file in a folder that exists"),
        (f"--widths {' '.join(str(64 * k) for k in range(1, 30))} --tokens {' '.join(map(str, range(1, 30)))}", "--yes: must be true for a lattice of 841 points"),
    ],
)  # fmt: skip
def test_wrong_input_names_the_flag(options: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("sweep", *options.split()) == 2
    assert said in capsys.readouterr().err


def test_a_real_sweep_is_interrupted_with_its_points_kept(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    code = "import sys; from dyad_core.cli import main; main(sys.argv[1:])"
    options = [
        "--widths",
        "32",
        "64",
        "96",
        "128",
        "--tokens",
        "4",
        "8",
        "16",
        "--blocks",
        "4",
        "--target-interval",
        "0.9",
    ]
    options += ["--threads", "1", "--save", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sweep", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(path.exists, "the first point")
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert "interrupted; its" in said
    assert load_sweep(path).stopped == "cancelled"
