from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_cases import candidate, dense, finished

from dyad_core.bench import MemoryUse
from dyad_core.verdict import decide
from dyad_core.verdict.wording import ratio_text


def test_the_whole_sentence() -> None:
    assert decide(finished(candidate(1.5, 2.5)), run_id="ab12").sentence == (
        "Swap: on AMD EPYC (2 threads), float32, 4096 tokens, 768→3072, IT n=4: forward is faster at 2.00x of dense "
        "(95 % interval 1.50–2.50, 4–7.2 ms saved a call); weights take 4.5 MiB less (50 %), the peak 4.5 MiB less (50 %) "
        "(run ab12)."
    )


@pytest.mark.parametrize(
    ("low", "high", "required", "words"),
    [
        (0.5, 0.9, 1.0, "Do not swap: .*: forward is slower, at 0.70x of dense .*ms lost a call"),
        (
            0.9,
            1.1,
            1.0,
            "Not distinguishable from 1.0x: .*: forward at 1.00x .*between 1.33 ms lost and 1.09 ms saved a call",
        ),
        (1.05, 1.15, 1.2, "Do not swap: .*: forward is at 1.10x of dense .*, below the 1.2x asked for"),
        (1.3, 1.4, 1.2, "Swap: .*: forward is faster at 1.35x of dense .*, above the 1.2x asked for"),
        (0.96, 0.98, 0.9, "Swap: .*: forward is at 0.97x of dense .*, above the 0.9x asked for"),
    ],
)
def test_each_decision_has_its_words(low: float, high: float, required: float, words: str) -> None:
    assert re.match(words, decide(finished(candidate(low, high)), required_speedup=required).sentence)


def test_memory_that_is_lost_or_the_same() -> None:
    more = MemoryUse(9_449_472, 0, 0, 0, 9_453_080, "by hand")
    assert "weights take as many bytes, the peak 1.02 KiB more (less than 1 %)" in (
        decide(finished(candidate(1.5, memory=more))).sentence
    )
    assert "weights" not in decide(finished(candidate(1.5, memory=None))).sentence
    assert "weights" not in decide(finished(candidate(1.5), twins=(dense(memory=None),))).sentence


@given(st.floats(0.001, 1000.0), st.floats(0.1, 10.0))
def test_a_ratio_is_never_rounded_across_what_it_is_held_against(value: float, threshold: float) -> None:
    shown = float(ratio_text(value, threshold))

    assert abs(shown - value) <= 0.0051
    if abs(value - threshold) > 1e-5:
        assert (shown > threshold, shown < threshold) == (value > threshold, value < threshold)
