from __future__ import annotations

import json

import pytest
from verdict_cases import candidate, finished

from dyad_core.bench.reference import reference_runs
from dyad_core.errors import SpecError
from dyad_core.verdict import Verdict, decide, verdicts
from dyad_core.verdict.records import Saving


def test_the_record_survives_json() -> None:
    run = finished(candidate(), candidate(None, pass_="train_step", outcome="failed", detail="it broke"))
    verdict = decide(run, max_loss=0.1, address="/runs/1")
    values = json.loads(json.dumps(verdict.to_dict()))

    assert Verdict.from_dict(values) == verdict
    assert [each["pass"] for each in values["passes"]] == ["forward", "train_step"]
    assert values["passes"][1]["time"] is None


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (("decision",), "perhaps", "verdict.decision"),
        (("passes", 0, "time", "speedup"), "fast", "verdict.passes.0.time.speedup"),
        (("geometry", "n_blocks"), 4.5, "verdict.geometry.n_blocks"),
        (("more",), 1, "verdict.more"),
    ],
)
def test_a_damaged_record_is_refused_with_the_field(place: tuple[object, ...], value: object, field: str) -> None:
    values = decide(finished()).to_dict()
    holder = values
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value

    with pytest.raises(SpecError) as caught:
        Verdict.from_dict(values)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_saving_may_be_a_loss_and_has_no_share_of_nothing() -> None:
    assert Saving.of(100, 150) == Saving(100, 150, -50, -0.5)
    assert Saving.of(0, 0) == Saving(0, 0, 0, None)


def test_every_bundled_run_has_verdicts() -> None:
    for runs in reference_runs().values():
        for run in runs[::8]:
            for verdict in verdicts(run, origin="reference"):
                assert Verdict.from_dict(verdict.to_dict()) == verdict
                assert "measured on another machine" in verdict.sentence
