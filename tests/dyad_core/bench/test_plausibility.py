"""Runs that contradict themselves are told from those that were measured."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dyad_core.bench.plausibility import implausible

NO_SPEEDUP = dict.fromkeys(("speedup", "speedup_low", "speedup_high", "share_of_limit"))


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"samples_ms": (1.0, 0.0)}, "samples_ms.1", "between 1e-09 and 1e+12 milliseconds"),
        ({"median_ms": -1.0}, "median_ms", "between"),
        ({"speedup": 1e308}, "speedup", "between"),
        ({"limit": 0.0}, "limit", "between"),
        ({"pass_": "decode"}, "pass", "among forward"),
        ({"median_ms": None}, "median_ms", "a time where the outcome is"),
        ({"outcome": "failed"}, "median_ms", "null where the outcome is failed"),
        ({"samples_ms": ()}, "samples_ms", "must not be empty"),
        ({"speedup_low": None}, "speedup", "must come with speedup_low"),
        ({"outcome": "faster", **NO_SPEEDUP}, "speedup", "must be given where the outcome is faster"),
        ({"speedup_low": 2.0, "speedup_high": 1.0}, "speedup_low", "at most speedup_high"),
    ],
)
def test_a_contradiction_is_named(
    make_run: Any, make_candidate: Any, change: dict[str, Any], field: str, words: str
) -> None:
    run = make_run(dataclasses.replace(make_candidate(), **change))
    (problem,) = implausible(run)
    assert problem.field == f"candidates.1.{field}"
    assert words in problem.rule


@pytest.mark.parametrize(
    "moment",
    ["", "yesterday", "2026-01-02T03:04:05", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
def test_the_moment_has_a_time_zone_and_exists_in_utc(make_run: Any, moment: str) -> None:
    assert [each.field for each in implausible(dataclasses.replace(make_run(), created_at=moment))] == ["created_at"]


@pytest.mark.parametrize("twins", [0, 2])
def test_every_pass_has_one_dense_twin(make_run: Any, twins: int) -> None:
    run = make_run(passes=["forward"])
    changed = dataclasses.replace(run, candidates=(*run.candidates[:1] * twins, *run.candidates[1:]))
    (problem,) = implausible(changed)
    assert (problem.field, problem.received) == ("candidates", f"{twins} of them")


def test_what_was_measured_is_plausible(make_run: Any, make_candidate: Any) -> None:
    failed = make_candidate(8, None, outcome="out_of_memory", median_ms=None, samples_ms=(1.0,))
    lonely = make_candidate(16, None, outcome="measured")
    wild = make_candidate(32, speedup_low=1e-20, speedup_high=1e20)
    assert list(implausible(make_run(make_candidate(), failed, lonely, wild))) == []
