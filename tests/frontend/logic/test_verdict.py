"""A verdict in words."""

from typing import Any

import pytest

from frontend.logic.verdict import DECISIONS, decision_words, figure_lines, other_records, quality_records
from frontend.schemas_verdict import VerdictJson


def saving(dense: int, candidate: int) -> dict[str, Any]:
    return {
        "dense_bytes": dense,
        "candidate_bytes": candidate,
        "saved_bytes": dense - candidate,
        "share": None if not dense else (dense - candidate) / dense,
    }


TIME = {
    "dense_ms": 3.2,
    "candidate_ms": 1.9,
    "speedup": 1.63,
    "speedup_low": 1.6,
    "speedup_high": 1.66,
    "saved_ms": 1.3,
    "saved_low_ms": 1.2,
    "saved_high_ms": 1.4,
}
MEMORY = {"parameters": saving(2048, 1024), "gradients": None, "optimizer": saving(0, 0), "peak": saving(1024, 1536)}
VERDICT: VerdictJson = {
    "geometry": {"label": "IT n=4", "implementation": "auto"},
    "conditions": {"text": "A CPU"},
    "decision": "depends",
    "depends_on": "the pass",
    "passes": [
        {"pass": "forward", "outcome": "faster", "detail": "", "time": TIME, "memory": MEMORY},
        {"pass": "train_step", "outcome": "out_of_memory", "detail": "it needs 9 GiB", "time": None, "memory": None},
    ],
    "reach": {"text": "every input reaches every output."},
    "quality": {
        "reading": "BLiMP falls.",
        "evidence": [
            {
                "model": "opt-125m",
                "training_words": "10M",
                "variant": "it",
                "n_blocks": 4,
                "seeds": 1,
                "aggregates": [{"name": "blimp", "dense": 0.6, "candidate": 0.63, "ratio": 1.05}],
            }
        ],
    },
    "sentence": "Depends on the pass.",
    "others": [
        {"geometry": {"label": "OT n=4", "implementation": "eager"}, "decision": "swap", "sentence": "Swap: faster."}
    ],
}


@pytest.mark.parametrize("decision", list(DECISIONS))
def test_every_decision_has_a_word(decision: str) -> None:
    assert decision_words({"decision": decision})[0] == DECISIONS[decision][0]


def test_a_decision_says_what_it_depends_on_and_a_newer_one_its_own_name() -> None:
    assert decision_words(VERDICT)[0] == "Depends on the pass"
    assert decision_words({"decision": "ask_later"})[0] == "ask later"


def test_figures_stand_with_their_intervals_and_what_is_missing_is_said() -> None:
    lines = figure_lines(VERDICT)

    assert lines[0] == (
        "**Forward**: ▲ faster, 1.63x of dense (95 % interval 1.60x to 1.66x), 1.30 ms saved a call: 3.20 ms becomes 1.90 ms"
    )
    assert lines[1] == "**Memory of forward**: parameters 1.00 KiB less (−50 %), peak 512 B more (+50 %)"
    assert lines[2] == "**Training step**: ▣ out of memory: it needs 9 GiB"
    assert lines[3:] == ["**Reach**: every input reaches every output.", "**Quality**: BLiMP falls."]
    slower: Any = VERDICT | {"passes": [VERDICT["passes"][0] | {"time": TIME | {"saved_ms": -0.5}}]}
    assert "500 µs lost a call" in figure_lines(slower)[0]


def test_what_it_rests_on_is_a_table() -> None:
    assert quality_records(VERDICT)[0]["of dense"] == 1.05
    assert other_records(VERDICT) == [
        {"candidate": "OT n=4 (eager)", "decision": "Swap", "in one sentence": "Swap: faster."}
    ]
