from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch

from dyad_core.bench.timer import (
    MAX_CALLS_PER_SAMPLE,
    MIN_SAMPLE_MS,
    CpuClock,
    CudaClock,
    calls_for,
    clock_for,
    is_stable,
    shuffled_rounds,
    warm_up,
)


def named(*names: str) -> dict[str, Callable[[], str]]:
    return {name: (lambda name=name: name) for name in names}


def test_cpu_clock_makes_every_call() -> None:
    count = itertools.count()
    sample = CpuClock().sample_ms(lambda: next(count), 25)
    assert next(count) == 25
    assert sample > 0


@pytest.mark.parametrize(("call_ms", "calls"), [(10.0, 1), (4.0, 1), (1.0, 4), (0.3, 14), (0.0, MAX_CALLS_PER_SAMPLE)])
def test_a_sample_takes_enough_calls_for_the_clock(call_ms: float, calls: int) -> None:
    assert calls_for(call_ms) == calls
    assert call_ms == 0 or calls_for(call_ms) * call_ms >= MIN_SAMPLE_MS


def test_stable_means_that_two_windows_agree() -> None:
    assert not is_stable([1.0] * 5)
    assert is_stable([1.0] * 6)
    assert is_stable([9.0, 9.0, 1.0, 1.0, 1.04, 1.04, 1.0, 1.04])
    assert not is_stable([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    assert is_stable([1.0, 50.0, 1.0, 1.0, 70.0, 1.0])  # medians: single outliers do not matter


def test_warm_up_ends_when_all_are_stable_and_the_early_drop_out(scripted_clock) -> None:
    falling = [80.0, 80.0, 40.0, 30.0, 20.0, 10.0]
    clock = scripted_clock({"fast": [99.0, 5.0], "slow": [99.0, *falling]})
    states = list(warm_up(named("fast", "slow"), clock, {}, limit_s=100.0))
    last = states[-1]
    assert all(warming.stable for warming in last.values())
    assert len(last["fast"].samples_ms) == 6
    assert last["slow"].samples_ms[-4:] == [10.0] * 4
    assert 99.0 not in last["fast"].samples_ms  # the cold call counts for nothing
    assert len(last["slow"].samples_ms) > len(last["fast"].samples_ms)


def test_warm_up_is_bounded_in_time(scripted_clock) -> None:
    clock = scripted_clock({"restless": [10.0 * 2 ** (k % 7) for k in range(1000)]})
    (*_, last) = warm_up(named("restless"), clock, {}, limit_s=3.0)
    assert not last["restless"].stable
    assert 3.0 <= clock.now_s < 5.0


def test_warm_up_gives_a_sample_even_without_time(scripted_clock) -> None:
    clock = scripted_clock({"a": [1000.0], "b": [1000.0]})
    states = list(warm_up(named("a", "b"), clock, {}, limit_s=0.001))
    assert len(states) == 1
    assert [len(warming.samples_ms) for warming in states[0].values()] == [1, 1]


def test_calls_per_sample_come_from_the_warm_call_not_the_cold_one(scripted_clock) -> None:
    clock = scripted_clock({"a": [500.0, 0.5]})
    (*_, last) = warm_up(named("a"), clock, {}, limit_s=10.0)
    assert last["a"].calls_per_sample == 8


def test_every_round_samples_every_candidate_once(scripted_clock) -> None:
    names = ("dense", "x", "y")
    clock = scripted_clock({name: [10.0] for name in names})
    rounds = shuffled_rounds(named(*names), dict.fromkeys(names, 2), clock, {}, seed=3)
    for samples in itertools.islice(rounds, 40):
        assert set(samples) == set(names)
    assert all(calls == 2 for _, calls in clock.taken)
    orders = {tuple(name for name, _ in clock.taken[k : k + 3]) for k in range(0, 120, 3)}
    assert len(orders) == 6  # every order comes up
    assert all(set(order) == set(names) for order in orders)


def test_the_seed_decides_the_order(scripted_clock) -> None:
    def order(seed: int) -> list[str]:
        clock = scripted_clock({name: [10.0] for name in "abcd"})
        rounds = shuffled_rounds(named(*"abcd"), dict.fromkeys("abcd", 1), clock, {}, seed=seed)
        list(itertools.islice(rounds, 10))
        return [name for name, _ in clock.taken]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_candidate_that_raises_leaves_the_others_alone(scripted_clock) -> None:
    calls = named("good", "bad")
    turns = iter([True, True, True, False])

    def bad() -> str:
        if not next(turns, False):
            raise RuntimeError("boom")
        return "bad"

    calls["bad"] = bad
    clock = scripted_clock({"good": [10.0], "bad": [10.0]})
    failures: dict[str, Exception] = {}
    rounds = shuffled_rounds(calls, {"good": 1, "bad": 1}, clock, failures, seed=0)
    taken = list(itertools.islice(rounds, 6))
    assert all("good" in samples for samples in taken)
    assert sum("bad" in samples for samples in taken) == 3
    assert str(failures["bad"]) == "boom"
    assert failures["bad"].__traceback__ is None


def test_warm_up_goes_on_without_a_candidate_that_raises(scripted_clock) -> None:
    def bad() -> str:
        raise MemoryError("too much")

    failures: dict[str, Exception] = {}
    clock = scripted_clock({"good": [10.0]})
    (*_, last) = warm_up({**named("good"), "bad": bad}, clock, failures, limit_s=10.0)
    assert set(last) == {"good"}
    assert last["good"].stable
    assert isinstance(failures["bad"], MemoryError)


def test_interrupting_is_not_a_failure_of_a_candidate(scripted_clock) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(warm_up({"a": interrupted}, scripted_clock({}), {}, limit_s=1.0))


def test_each_device_has_its_clock() -> None:
    assert isinstance(clock_for(torch.device("cpu")), CpuClock)
    assert isinstance(clock_for(torch.device("cuda:0")), CudaClock)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_clock_makes_every_call_and_waits_for_the_device() -> None:
    x = torch.randn(512, 512, device="cuda")
    count = itertools.count()
    sample = CudaClock(torch.device("cuda:0")).sample_ms(lambda: (next(count), x @ x), 7)
    assert next(count) == 7
    assert sample > 0
