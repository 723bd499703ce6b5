from __future__ import annotations

import json
from pathlib import Path

import pytest

from dyad_core.published import layer_timing, model_sizes
from dyad_core.published.timing import FILE

SHARED = Path(__file__).resolve().parents[4] / "shared/published/layer_timing.json"


def test_the_packaged_file_is_read_whole() -> None:
    timing = layer_timing()

    assert timing.to_dict() == json.loads(FILE.read_text(encoding="utf-8"))
    assert timing.tokens == timing.batch_size * timing.sequence_length
    assert "not like for like" in timing.caveat
    assert timing.source


def test_every_row_has_its_dense_layer_in_float32() -> None:
    timing = layer_timing()

    for row in timing.rows:
        dense = timing.dense(row)
        assert dense is not None
        assert (dense.precision, dense.hidden_size, dense.model) == ("float32", row.hidden_size, row.model)
        assert row.total_ms == pytest.approx(row.forward_ms + row.backward_ms)


def test_the_sizes_of_the_models() -> None:
    sizes = model_sizes()

    assert sizes["opt-125m"] == {(768, 3072)} == sizes["pythia-160m"]
    assert sizes["opt-350m"] == {(1024, 4096)}


@pytest.mark.skipif(not SHARED.exists(), reason="the original of the file is not beside this checkout")
def test_the_packaged_file_is_the_original() -> None:
    assert FILE.read_bytes() == SHARED.read_bytes()
