from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from made_up import CEILINGS as QUIET

from dyad_core.bench import kept_ceilings
from dyad_core.bench.ceilings import Ceilings
from dyad_core.cli import main


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str, int]]:
    """What was asked to be measured; nothing is."""
    asked: list[tuple[str, str, int]] = []

    def measure(device: str, dtype: str, threads: int) -> Ceilings:
        asked.append((device, dtype, threads))
        return dataclasses.replace(QUIET, dtype=dtype, threads=threads)

    monkeypatch.setattr(kept_ceilings, "measure_ceilings", measure)
    monkeypatch.setenv("DYAD_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    return asked


def dyad(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["ceilings", *arguments])
    return 0 if caught.value.code is None else int(caught.value.code)


def test_the_table_has_each_ceiling_with_its_unit(measured, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("--threads", "2") == 0
    text = capsys.readouterr().out
    assert "AMD EPYC (cpu), float32, 2 threads" in text
    for line in ("product of 2048x2048 matrices", "190–210  GFLOP/s", "copy of 128 MiB", "GB/s", "µs"):
        assert line in text
    assert "fewer than 10 operations per byte" in text


def test_json_is_the_record_and_nothing_else(measured, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("--json", "--dtype", "float64", "--threads", "1") == 0
    found = Ceilings.from_dict(json.loads(capsys.readouterr().out))
    assert found == dataclasses.replace(QUIET, dtype="float64", threads=1)


def test_they_are_measured_once_and_again_when_asked(measured, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ([], [], ["--again"]):
        assert dyad("--threads", "2", *flags) == 0
    assert measured == [("cpu", "float32", 2)] * 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--device", "cuda:77"], "--device: must be a device of this machine"),
        (["--device", "tpu"], "--device: must be cpu, cuda or cuda:<index>"),
        (["--dtype", "float31"], "--dtype: must be one of"),
        (["--threads", "0"], "--threads: must be a positive integer"),
    ],
)
def test_wrong_input_is_said_by_its_flag(measured, capsys, flags: list[str], said: str) -> None:
    assert dyad(*flags) == 2
    assert said in capsys.readouterr().err
    assert measured == []


def test_a_damaged_file_says_what_helps(measured, capsys, tmp_path: Path) -> None:
    assert dyad() == 0
    (path,) = (tmp_path / "machines").iterdir()
    path.write_text("{", encoding="utf-8")
    assert dyad() == 2
    text = capsys.readouterr().err
    assert text.startswith("ceilings: must be JSON")
    assert "dyad ceilings --again measures them anew" in text
    assert dyad("--again") == 0
    assert dyad() == 0


def test_other_work_is_said(measured, capsys, monkeypatch) -> None:
    busy = dataclasses.replace(QUIET, others_share=0.4)
    monkeypatch.setattr(kept_ceilings, "measure_ceilings", lambda *_: busy)
    assert dyad() == 0
    assert "other work kept 40% of the processors busy" in capsys.readouterr().out
