"""The published figures, held against the packaged rows: the arithmetic and the words."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dyad_core.bench.original_replay import published_conditions
from dyad_core.published import layer_timing


def test_the_headline_is_a_tenth_of_structure_and_the_rest_precision() -> None:
    answer = published_conditions()
    first = answer.decompositions[0]
    total = first.parts[0]

    assert (first.model, first.variant, first.n_blocks, total.pass_) == ("opt-125m", "it", 4, "total")
    assert total.headline is not None
    assert total.structure is not None
    assert total.precision is not None
    assert [round(each.ratio, 1) for each in (total.headline, total.structure, total.precision)] == [3.2, 1.1, 2.9]
    assert total.arithmetic == (
        "4.302 ms / 1.338 ms = 3.22x = 1.10x of structure (4.302 / 3.902) × 2.92x of precision (3.902 / 1.338)"
    )


def test_every_published_row_is_in_it_and_what_is_missing_is_said() -> None:
    answer = published_conditions()
    rows = [row for row in layer_timing().rows if not row.is_dense]
    half = [row for row in rows if row.precision != "float32"]

    assert sum(not each.missing for each in answer.decompositions) == len(half)
    assert len(answer.decompositions) == len(rows) - len(half)
    for each in answer.decompositions:
        total = each.parts[0]
        assert (total.headline is None) == bool(each.missing)
        assert total.structure is not None
        if each.missing:
            assert each.missing == "the file has no row of DYAD float16 for this layer"
            assert "nothing to take apart; in equal precision, float32, it is" in each.reading
        else:
            assert total.headline is not None
            assert total.precision is not None
            assert total.headline.ratio == pytest.approx(total.structure.ratio * total.precision.ratio)


def test_the_reading_stands_alone_and_claims_no_speed_up_of_precision() -> None:
    text = published_conditions().reading

    for words in ("published speed-up of 3.2x", "float16 beside a dense layer computed in float32", "not like for like",
                  "3.2x = 1.1x of structure × 2.9x of precision", "1.1x to 1.8x", "the GPU is not stated"):  # fmt: skip
        assert words in text
    assert "issue" not in text


def test_it_is_labelled_and_json_ready() -> None:
    values = json.loads(json.dumps(published_conditions().to_dict()))

    assert (values["kind"], values["label"], values["runs"]) == ("replay", "not like for like", [])
    assert values["decompositions"][0]["parts"][0]["pass"] == "total"
    assert values["source"] == layer_timing().source
    assert values["caveats"] == [layer_timing().caveat]


def test_rows_without_their_float32_twin_or_dense_layer_say_so() -> None:
    timing = layer_timing()
    half = next(row for row in timing.rows if row.precision != "float32")
    alone = published_conditions(dataclasses.replace(timing, rows=(half,)))

    (only,) = alone.decompositions
    assert only.missing == "the file has no row of dense float32 and of DYAD float32 for this layer"
    assert only.parts[0].headline is only.parts[0].structure is only.parts[0].precision is None
    assert alone.reading == "No published figure has the rows that it takes to tell structure from precision."
