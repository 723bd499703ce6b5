"""The suite asks what it says it asks; how long the answers take is its result, not a test."""

from __future__ import annotations

import json

import pytest

from dyad_core.bench.structure_suite import QUESTIONS, structure_costs
from dyad_core.cli import main


def test_one_row_per_question_and_width() -> None:
    rows = list(structure_costs([256, 1024], repeats=1))
    assert [(row.question, row.width) for row in rows] == [(q, w) for q in QUESTIONS for w in (256, 1024)]
    for row in rows:
        assert 0 < row.median_ms <= row.p95_ms
        assert row.peak_mib > 0
        assert 0 < row.answer_kib < 300
        assert row.met == (row.p95_ms < row.target_ms)
        # Blocks are at least n wide: n up to 16 fits width 256, n up to 32 width 1024, three variants each.
        assert row.calls == {256: 9, 1024: 12}[row.width]


def test_the_command_prints_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from dyad_core.cli import bench_suites

    monkeypatch.setattr(
        bench_suites, "structure_costs", lambda: structure_costs([256], repeats=1, questions=["connectivity"])
    )
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--suite", "structure", "--json"])
    assert caught.value.code in (0, None)
    assert [row["question"] for row in json.loads(capsys.readouterr().out)] == ["connectivity"]
    with pytest.raises(SystemExit):
        main(["bench", "--suite", "structure"])
    assert "connectivity" in capsys.readouterr().out


def test_an_unknown_suite_and_missing_sizes_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--suite", "everything"])
    assert caught.value.code == 2
    assert "--suite: must be one of speed, structure, calibration; received 'everything'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--blocks", "4"])
    assert caught.value.code == 2
    text = capsys.readouterr().err
    assert "--in: is required." in text
    assert "--out: is required." in text
