"""The words say what the numbers are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given

from dyad_core import DyadGeometry
from dyad_core.structure import formula
from dyad_core.structure.counting import input_groupings
from dyad_core.structure.wording import describe_group, percent

from .oracle import layers, masks


@pytest.mark.parametrize(
    ("variant", "grain", "expected"),
    [
        ("it", 1, "; BLOCKTRANS when o // 768 = i mod 4"),
        ("ot", 1, "; BLOCKTRANS when o mod 4 = i // 192"),
        ("dt", 8, "; BLOCKTRANS when (o // 8) mod 4 = (i // 8) mod 4"),
        ("bd", 1, "; bd has no BLOCKTRANS"),
    ],
)
def test_formula_has_the_numbers_put_in(variant: str, grain: int, expected: str):
    text = formula(DyadGeometry(768, 3072, 4, variant, grain))
    assert text == f"BLOCKDIAG connects output o to input i when o // 768 = i // 192{expected}"


@given(layers())
def test_formula_is_true_for_every_entry(geometry: DyadGeometry):
    first, _, second = formula(geometry).partition("; ")
    outputs, inputs = np.arange(geometry.out_features)[:, None], np.arange(geometry.in_features)[None, :]

    def evaluate(text: str) -> np.ndarray:
        rule = text.partition(" when ")[2].replace(" mod ", " % ").replace(" = ", " == ")
        return eval(rule, {"o": outputs, "i": inputs})  # noqa: S307 (the formula is the thing under test)

    diagonal, transposed = masks(geometry)
    np.testing.assert_array_equal(evaluate(first), diagonal)
    if geometry.variant != "bd":
        np.testing.assert_array_equal(evaluate(second), transposed)


def features_in(description: str, features: int) -> list[int]:
    """Read a group's description back into the features it names."""
    if spread := re.fullmatch(r"(?:runs of (\d+), )?every (\d+)(?:st|nd|rd|th) from (\d+)", description):
        run, step, first = int(spread[1] or 1), int(spread[2]), int(spread[3])
        return [start + offset for start in range(first, features, step) for offset in range(run)]
    first, _, last = description.partition("–")
    return list(range(int(first), int(last or first) + 1))


@given(layers())
def test_group_descriptions_name_exactly_the_members(geometry: DyadGeometry):
    for side in input_groupings(geometry):
        for group, members in enumerate(side.members().tolist()):
            assert features_in(describe_group(side, group), geometry.in_features) == members


def test_group_descriptions_read_well():
    it = DyadGeometry(768, 3072, 4).input_side
    assert [describe_group(it, group) for group in range(2)] == ["every 4th from 0", "every 4th from 1"]
    assert describe_group(DyadGeometry(42, 42, 21).input_side, 2) == "every 21st from 2"
    assert describe_group(DyadGeometry(24, 24, 12).input_side, 2) == "every 12th from 2"
    assert describe_group(DyadGeometry(16, 16, 2, grain=4).input_side, 1) == "runs of 4, every 8th from 4"
    assert describe_group(DyadGeometry(16, 16, 4, "bd").input_side, 1) == "4–7"
    assert describe_group(DyadGeometry(4, 4, 4, "bd").input_side, 1) == "1"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (7, 16, "43.8 %"),
        (0, 5, "0.0 %"),
        (5, 5, "100.0 %"),
        (9999, 10000, "99.99 %"),
        (1, 100_000, "0.0010 %"),
        (10**9 - 1, 10**9, "more than 99.9999 %"),
        (1, 10**9, "less than 0.0001 %"),
    ],
)
def test_percent_never_rounds_to_all_or_nothing(part: int, whole: int, text: str):
    assert percent(part, whole) == text
