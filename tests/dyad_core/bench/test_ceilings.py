from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from made_up import CEILINGS

from dyad_core.bench import ceilings
from dyad_core.bench.ceilings import Ceilings, Rate, measure_ceilings, rate
from dyad_core.errors import SpecError


@pytest.fixture
def found() -> Ceilings:
    return dataclasses.replace(CEILINGS, others_share=0.02)


def test_this_machine_has_ceilings_and_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "LONG_ENOUGH_MS", {"cpu": 0.0})
    before = torch.get_num_threads()
    here = measure_ceilings("cpu", "float64", 1)
    assert torch.get_num_threads() == before
    assert (here.device, here.dtype, here.threads, here.matrix_side) == ("cpu", "float64", 1, 256)
    for each in (here.flops_per_s, here.bytes_per_s, here.launch_us):
        assert 0 < each.q1 <= each.median <= each.q3 < math.inf
    assert here.copy_bytes >= 2**26
    assert Ceilings.from_dict(json.loads(json.dumps(here.to_dict()))) == here


def test_a_product_grows_until_it_takes_long_enough(scripted_clock) -> None:
    clock = scripted_clock({"": [1.0]})
    taken = iter([9.0, 10.0, 9.0, 39.0, 9.0, 41.0])
    clock.sample_ms = lambda call, calls: next(taken)  # two calls at each side, the first one cold
    side, call = ceilings.large_product(torch.device("cpu"), torch.float32, clock)
    assert side == 1024
    assert call().shape == (1024, 1024)


def test_a_product_and_a_copy_leave_most_of_the_memory_alone(scripted_clock, monkeypatch) -> None:
    monkeypatch.setattr(ceilings, "free_bytes", lambda device: 4 * 3 * 512**2 * 4)
    clock = scripted_clock({"": [1.0]})
    clock.sample_ms = lambda call, calls: 0.001
    side, _ = ceilings.large_product(torch.device("cpu"), torch.float32, clock)
    assert side == 512
    size, _ = ceilings.large_copy(torch.device("cpu"))
    assert size == 3 * 512**2 * 2


def test_a_rate_is_the_median_of_repetitions_and_of_at_least_three(scripted_clock, monkeypatch) -> None:
    clock = scripted_clock({"x": [1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]})
    assert rate(lambda: "x", clock, 1, lambda ms: 8 / ms) == Rate(2.0, 2.0, 2.0)
    assert len(clock.taken) == ceilings.REPETITIONS
    monkeypatch.setattr(ceilings, "MOST_S", 0.0)
    clock = scripted_clock({"x": [1.0, 2.0, 4.0]})
    assert rate(lambda: "x", clock, 5, lambda ms: 8 / ms) == Rate(4.0, 3.0, 6.0)
    assert clock.taken == [("x", 5)] * 3


def test_the_ridge_is_operations_per_byte(found: Ceilings) -> None:
    assert found.flops_per_byte == 10.0


@pytest.mark.parametrize(("share", "disturbed"), [(None, False), (0.1, False), (0.11, True)])
def test_other_work_is_a_disturbance(found: Ceilings, share: float | None, disturbed: bool) -> None:
    assert dataclasses.replace(found, others_share=share).disturbed is disturbed


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dtype": 3}, "ceilings.dtype"),
        ({"colour": "red"}, "ceilings.colour"),
        ({"flops_per_s": 5.0}, "ceilings.flops_per_s"),
        ({"flops_per_s": {"median": 1.0, "q1": 1.0}}, "ceilings.flops_per_s.q3"),
        ({"launch_us": {"median": 0.0, "q1": 1.0, "q3": 1.0}}, "ceilings.launch_us.median"),
        ({"launch_us": {"median": float("nan"), "q1": 1.0, "q3": 1.0}}, "ceilings.launch_us.median"),
    ],
)
def test_a_wrong_field_is_named(found: Ceilings, change: dict[str, object], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        Ceilings.from_dict({**found.to_dict(), **change})
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_missing_field_and_no_object_are_problems(found: Ceilings) -> None:
    values = found.to_dict()
    del values["threads"]
    with pytest.raises(SpecError, match="ceilings.threads: is required"):
        Ceilings.from_dict(values)
    with pytest.raises(SpecError, match="must be an object"):
        Ceilings.from_dict([1])
