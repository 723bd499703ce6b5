"""What cannot be measured is refused before anything is started: with fields, bytes and a way out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from model_tools import BERT, OPT, tiny

from dyad_core.bench.system import DeviceInfo, SystemInfo
from dyad_core.errors import SpecError
from dyad_core.models.cost.estimate import answer
from dyad_core.models.measuring.preflight import model_footprint, preflight_model
from dyad_core.models.spec import ModelSpec

GIB = 2**30


def machine(gib: float = 16, emulated: tuple[str, ...] = (), cores: int = 4) -> SystemInfo:
    cpu = DeviceInfo("cpu", "cpu", "a processor", 2 * int(gib * GIB), int(gib * GIB), ("float32",), emulated)
    return SystemInfo((cpu,), "a processor", cores, None, None, {}, ())


def refused(spec: ModelSpec, system: SystemInfo | None = None) -> dict[str, Any]:
    with pytest.raises(SpecError) as caught:
        preflight_model(spec, system or machine())
    return {problem.field: problem for problem in caught.value.problems}


def test_what_fits_passes_without_a_word() -> None:
    assert preflight_model(tiny(), machine()) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"device": "cuda:3"}, "device"),
        ({"implementation": "nothing"}, "implementation"),
        ({"config": BERT, "passes": ["prefill", "decode"]}, "passes"),
        ({"sequence": 64, "passes": ["decode"]}, "sequence"),
        ({"sequence": 65}, "sequence"),
        ({"n_blocks": [7]}, "n_blocks"),
    ],
)
def test_a_refusal_names_the_field(changes: dict[str, Any], field: str) -> None:
    assert list(refused(tiny(**changes))) == [field]


def test_a_model_too_large_is_refused_with_bytes_needed_and_there() -> None:
    spec = ModelSpec("opt-1.3b", n_blocks=(4, 8), batch=1, sequence=256)
    problem = refused(spec)["config"]
    estimate = answer(spec.estimate_spec())
    costs = [each.cost for each in estimate.candidates if each.cost is not None]
    need = model_footprint(spec, estimate.dense, costs, 50272)
    assert f"{need.total_bytes:,} bytes" in problem.rule
    assert f"{16 * GIB:,} bytes" in problem.rule
    assert "3 models" in problem.rule
    assert "optimizer sgd" in problem.suggestion
    # Dense and both candidates with weights and two states each are alive together.
    assert need.held_bytes >= 3 * sum(cost.memory.weights_bytes for cost in (estimate.dense, *costs))


def test_one_candidate_is_proposed_where_one_fits() -> None:
    spec = ModelSpec("opt-125m", n_blocks=(3, 4, 6, 8), batch=1, sequence=64)
    assert "a single candidate needs" in refused(spec, machine(4))["config"].suggestion


def test_what_needs_less_needs_less() -> None:
    spec = ModelSpec("opt-125m", batch=8, sequence=128)
    estimate = answer(spec.estimate_spec())
    costs = [each.cost for each in estimate.candidates if each.cost is not None]

    def total(**changes: Any) -> int:
        other = dataclasses.replace(spec, **changes)
        found = answer(other.estimate_spec())
        return model_footprint(other, found.dense, [c.cost for c in found.candidates if c.cost], 50272).total_bytes

    whole = model_footprint(spec, estimate.dense, costs, 50272).total_bytes
    assert total(optimizer="sgd") < whole
    assert total(checkpointing=True) < whole
    assert total(passes=("prefill",)) < total(passes=("prefill", "decode")) < whole
    assert total(parts=False) < whole


def test_warnings_name_candidates_that_cannot_be_and_what_is_emulated() -> None:
    said = preflight_model(tiny(n_blocks=[4, 7], dtype="bfloat16", threads=9), machine(emulated=("bfloat16",)))
    assert any(warning.startswith("it n=7 (layers) cannot be") for warning in said)
    assert any("bfloat16 is not native" in warning for warning in said)
    assert any("threads=9" in warning for warning in said)


def test_memory_that_cannot_be_read_is_said_and_refuses_nothing() -> None:
    system = machine()
    cpu = dataclasses.replace(system.devices[0], memory_available_bytes=None)
    said = preflight_model(tiny(config=OPT), dataclasses.replace(system, devices=(cpu,)))
    assert any("could not be read" in warning for warning in said)
