from __future__ import annotations

import pytest
import torch

from dyad_core.bench.energy import energy_counter, energy_per_call_j
from dyad_core.bench.timer import CudaClock


class Counter:
    """Hands out its readings one by one."""

    def __init__(self, *readings: int | None) -> None:
        self.readings = list(readings)

    def energy_mj(self) -> int | None:
        return self.readings.pop(0)


def test_joules_are_shared_by_the_calls_of_the_stretch(scripted_clock) -> None:
    clock = scripted_clock({"x": [2.0]})
    assert energy_per_call_j(lambda: "x", clock, Counter(1_000, 301_000), call_ms=2.0, seconds=1.0) == 0.6
    assert clock.taken == [("x", 500)]


def test_a_long_call_is_made_once_and_a_short_one_not_for_ever(scripted_clock) -> None:
    clock = scripted_clock({"x": [5000.0]})
    assert energy_per_call_j(lambda: "x", clock, Counter(0, 900_000), call_ms=5000.0) == 900.0
    clock = scripted_clock({"x": [1e-9]})
    assert energy_per_call_j(lambda: "x", clock, Counter(0, 1_000), call_ms=1e-9) == 1e-6
    assert clock.taken == [("x", 1_000_000)]


@pytest.mark.parametrize("counter", [None, Counter(None), Counter(5, None), Counter(5, 5), Counter(5, 4)])
def test_without_a_count_nothing_is_claimed(scripted_clock, counter: Counter | None) -> None:
    clock = scripted_clock({"x": [2.0]})
    assert energy_per_call_j(lambda: "x", clock, counter, call_ms=2.0) is None


def test_without_a_counter_nothing_is_called(scripted_clock) -> None:
    clock = scripted_clock({"x": [2.0]})
    energy_per_call_j(lambda: "x", clock, None, call_ms=2.0)
    assert clock.taken == []


def test_a_processor_has_no_counter() -> None:
    assert energy_counter("cpu") is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_this_gpu_uses_more_for_more_work() -> None:
    counter = energy_counter("cuda")
    if counter is None:
        pytest.skip("this GPU does not count energy")
    clock = CudaClock(torch.device("cuda"))
    values = torch.randn(4096, 4096, device="cuda")

    def call() -> object:
        return values @ values

    clock.sample_ms(call, 3)
    found = energy_per_call_j(call, clock, counter, call_ms=clock.sample_ms(call, 3))
    assert found is not None
    assert found > 0
