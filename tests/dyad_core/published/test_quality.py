from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest

from dyad_core.published import quality
from dyad_core.published.quality import FILE

SHARED = Path(__file__).resolve().parents[4] / "shared/published/quality.json"


def test_the_packaged_file_is_read_whole() -> None:
    published = quality()

    assert published.to_dict() == json.loads(FILE.read_text(encoding="utf-8"))
    assert {run.seeds for run in published.runs} == {1}
    for run in published.runs:
        assert run.means["blimp"] == pytest.approx(fmean(run.blimp.values()))
        assert run.source_files


def test_each_dyad_model_stands_beside_the_dense_one_of_its_size_and_data() -> None:
    comparisons = quality().comparisons()
    found = {(each.model, each.training_words, each.variant, each.n_blocks): each for each in comparisons}

    assert len(found) == sum(run.variant != "dense" for run in quality().runs)
    ratios = {key: next(a.ratio for a in each.aggregates if a.name == "blimp") for key, each in found.items()}
    # The design's summary of the file: BLiMP falls from 1.055 to 0.962 and 0.945, and nothing is below 0.93.
    assert ratios["opt-125m", "10M", "it", 4] == pytest.approx(1.055, abs=5e-4)
    assert ratios["opt-125m", "100M", "it", 4] == pytest.approx(0.962, abs=5e-4)
    assert ratios["opt-350m", "10M", "it", 4] == pytest.approx(0.945, abs=5e-4)
    assert min(a.ratio for each in comparisons for a in each.aggregates) > 0.93


def test_tasks_at_chance_are_not_compared() -> None:
    assert {a.name for each in quality().comparisons() for a in each.aggregates} == {
        "blimp",
        "blimp_supplement",
        "glue",
    }


@pytest.mark.skipif(not SHARED.exists(), reason="the original of the file is not beside this checkout")
def test_the_packaged_file_is_the_original() -> None:
    assert FILE.read_bytes() == SHARED.read_bytes()
