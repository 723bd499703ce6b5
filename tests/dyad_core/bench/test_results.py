"""The versioned record: to JSON and back without loss, and plain errors for what is not one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dyad_core import SpecError
from dyad_core.bench import SCHEMA_VERSION, BenchmarkRun, BenchmarkSpec, Candidate
from dyad_core.bench.measure import measure


@pytest.fixture(scope="module")
def run() -> BenchmarkRun:
    return measure(BenchmarkSpec(16, 32, tokens=4, n_blocks=(4,), passes=("forward", "train_step"), max_seconds=0.1))


def test_the_shapes_of_a_run_are_pinned(run: BenchmarkRun) -> None:
    values = run.to_dict()
    assert {"spec", "environment", "candidates", "created_at", "duration_s", "schema_version"} <= set(values)
    wanted = (
        "variant n_blocks grain implementation pass outcome samples_ms median_ms speedup speedup_low speedup_high "
        "share_of_limit parameters flops memory"
    )
    for candidate in values["candidates"]:
        assert set(wanted.split()) <= set(candidate)
        assert "pass_" not in candidate
        assert all(name.endswith("_bytes") or name == "method" for name in candidate["memory"])
    assert [candidate["variant"] for candidate in values["candidates"]] == ["dense", "it"] * 2


def test_json_and_back_is_the_same_record(run: BenchmarkRun) -> None:
    text = json.dumps(run.to_dict(), allow_nan=False)
    assert BenchmarkRun.from_dict(json.loads(text)) == run


def test_the_dense_twin_is_found_by_pass(run: BenchmarkRun) -> None:
    assert run.dense("train_step").pass_ == "train_step"
    with pytest.raises(KeyError):
        BenchmarkRun(run.spec, run.environment, (), run.created_at, 0.0).dense("forward")


def test_labels_name_the_candidate() -> None:
    def label(**values: Any) -> str:
        given = {"variant": "it", "n_blocks": 4, "grain": 1, **values}
        return Candidate(
            **given, implementation="eager", pass_="forward", outcome="measured", parameters=1, flops=1, limit=2.0
        ).label

    assert label() == "IT n=4"
    assert label(grain=8) == "IT n=4 g=8"
    assert label(variant="dense", n_blocks=None, grain=None) == "dense"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda values: values.update(schema_version=SCHEMA_VERSION + 1), "schema_version"),
        (lambda values: values.update(schema_version="1"), "schema_version"),
        (lambda values: values.pop("schema_version"), "schema_version"),
        (lambda values: values.pop("spec"), "spec"),
        (lambda values: values["spec"].update(in_features=0), "spec.in_features"),
        (lambda values: values.update(environment=[]), "environment"),
        (lambda values: values["environment"].pop("torch_version"), "environment.torch_version"),
        (lambda values: values.update(candidates={}), "candidates"),
        (lambda values: values["candidates"].append(7), "candidates.4"),
        (lambda values: values["candidates"][1].pop("variant"), "candidates.1.variant"),
        (lambda values: values["candidates"][1].update(speed=3), "candidates.1.speed"),
        (lambda values: values["candidates"][0]["memory"].pop("peak_bytes"), "candidates.0.memory.peak_bytes"),
        (lambda values: values.update(surprise=1), "run.surprise"),
    ],
)
def test_a_damaged_file_names_the_field(run: BenchmarkRun, change: Any, field: str) -> None:
    values = copy.deepcopy(run.to_dict())
    change(values)
    with pytest.raises(SpecError) as caught:
        BenchmarkRun.from_dict(values)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_newer_file_says_what_to_do(run: BenchmarkRun) -> None:
    with pytest.raises(SpecError, match="update dyad-explorer to read this file"):
        BenchmarkRun.from_dict({**run.to_dict(), "schema_version": SCHEMA_VERSION + 1})


@pytest.mark.parametrize("value", [None, 3, [], "run"])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="must be a JSON object"):
        BenchmarkRun.from_dict(value)
