"""Numbers of paths on their axis and in words."""

import math

import pytest

from frontend.logic.locality import ratio_label
from frontend.logic.numbers import count_log10, count_ticks, count_words, gap_of, power_words

EXACT = {"min": 0, "median": 12, "max": 123456, "mean": 1.5, "evenness": 1.0, "logarithmic": False}
LOGS = {"min": None, "median": 66.3, "max": 66.4, "mean": 66.3, "evenness": 1.0, "logarithmic": True}


def test_exact_counts_and_logarithms_share_one_axis() -> None:
    assert [count_log10(EXACT, name) for name in ("min", "median")] == [-math.inf, math.log10(12)]
    assert [count_log10(LOGS, name) for name in ("min", "max")] == [-math.inf, 66.4]
    assert count_log10(None, "max") is None


def test_words_say_what_is_a_logarithm() -> None:
    assert count_words(EXACT, "min") == "none"
    assert count_words(EXACT, "max") == "123\u202f456"
    assert count_words(LOGS, "median") == "2.00 · 10⁶⁶ (from its logarithm)"
    assert count_words(LOGS, "min") == "none"
    assert power_words(-math.inf) == "none"


@pytest.mark.parametrize("highest", [0.0, 0.3, 3.2, 66.4, 300.0])
def test_ticks_are_few_and_none_never_touches_one(highest: float) -> None:
    ticks = count_ticks(highest)
    assert ticks["ticktext"][:2] == ["none ", "1 "]
    assert len(ticks["tickvals"]) <= 9
    assert ticks["tickvals"][1] >= 0.09 * (gap_of(highest) + highest)


@pytest.mark.parametrize(("ratio", "text"), [(1.1875, "1.19x"), (0, "0x"), (1.0000002, "1x + 2e-07"), (1, "1x")])
def test_multiples_keep_what_makes_them_differ(ratio: float, text: str) -> None:
    assert ratio_label(ratio) == text
