"""The published headline taken apart, from the real service's own record."""

import math

import pytest

from frontend.client import ApiClient
from frontend.figures.original import original_alt, original_figure
from frontend.logic.original import passes_of, split_records, splits_of


def test_the_headline_is_structure_times_precision(api: ApiClient) -> None:
    conditions = api.published_timing()["original_conditions"]
    splits = splits_of(conditions, "total")
    first = splits[0]

    assert conditions["label"] == "not like for like"
    assert passes_of(conditions)[0] == "total"
    assert first.headline == pytest.approx(3.2, abs=0.05)
    assert first.structure == pytest.approx(1.1, abs=0.05)
    assert all(each.headline == pytest.approx(each.structure * each.precision) for each in splits)
    assert split_records(splits)[0]["of precision"] == "2.92x"


def test_lengths_add_up_where_factors_multiply(api: ApiClient) -> None:
    splits = splits_of(api.published_timing()["original_conditions"], "total")
    structure, precision = original_figure(splits).data[:2]

    for at, each in enumerate(splits):
        assert structure.x[at] + precision.x[at] == pytest.approx(math.log2(each.headline))
        assert precision.base[at] == pytest.approx(structure.x[at])
    assert "Not like for like" in original_alt(splits)
    assert original_figure([]).layout.height > 100
