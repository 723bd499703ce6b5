"""Kept points: appended, read back, and a file that was cut off or damaged costs its bad lines alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from sweep_tools import Simulated, slope

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.sweep import kept as module
from dyad_core.sweep.kept import KeptRuns

MACHINE = Simulated(slope(600))


def run(tokens: int, **changes: object) -> BenchmarkRun:
    made = MACHINE.run(BenchmarkSpec(64, 256, tokens=tokens, n_blocks=(4,)))
    return dataclasses.replace(made, **changes)


@pytest.fixture
def kept(tmp_path: Path) -> KeptRuns:
    return KeptRuns(tmp_path / "sweeps" / "points.jsonl")


def test_what_is_added_comes_back(kept: KeptRuns) -> None:
    assert kept.load() == []
    for tokens in (8, 16):
        kept.add(run(tokens))
    assert kept.load() == [run(8), run(16)]


def test_of_two_of_one_request_the_later_counts_and_the_file_is_tidied(kept: KeptRuns) -> None:
    kept.add(run(8))
    kept.add(run(8, duration_s=9.0))
    assert [each.duration_s for each in kept.load()] == [9.0]
    assert len(kept.path.read_bytes().splitlines()) == 1


@pytest.mark.parametrize(
    "damage", [b'{"spec": {"in_fea', b"\xff\xfe\n", b"[]\n", b"{}\n", b"[" * 10_000 + b"\n", b"\n"]
)
def test_a_bad_line_is_left_out_and_gone_afterwards(kept: KeptRuns, damage: bytes) -> None:
    kept.add(run(8))
    with kept.path.open("ab") as file:
        file.write(damage)
    assert kept.load() == [run(8)]
    kept.add(run(16))
    assert kept.load() == [run(8), run(16)]


def test_a_file_that_grew_too_large_is_begun_anew(kept: KeptRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.add(run(8))
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    assert kept.load() == []
    assert not kept.path.exists()


def test_forgetting_twice_is_no_error(kept: KeptRuns) -> None:
    kept.add(run(8))
    kept.forget()
    kept.forget()
    assert kept.load() == []
