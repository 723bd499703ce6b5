from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from dyad_core.bench import BenchmarkSpec, noise, run_benchmark
from dyad_core.bench.disturbance import DISTURBED, Moment, is_disturbed
from dyad_core.bench.noise import Noise, NoiseWatch, Reading
from dyad_core.bench.nvml import GpuReading
from dyad_core.errors import SpecError

QUIET = Reading(1.0, 0.5, 0.01, 3000.0, 50.0, 7, GpuReading(1980, 2619, 60, ("power cap",), 0, 0.9))
BEFORE = dataclasses.replace(QUIET, at_s=0.2, gpu=GpuReading(345, 2619, 30, (), None, 0.0))


def noise_of(*during: Reading, **changes: Any) -> Noise:
    values: dict[str, Any] = {"processors": 2, "before": BEFORE, "during": during or (QUIET,), "after": QUIET}
    return Noise(**{**values, "others_share": 0.02, **changes})


def but(**changes: Any) -> Reading:
    return dataclasses.replace(QUIET, **changes)


def on_gpu(**changes: Any) -> Reading:
    return but(gpu=dataclasses.replace(QUIET.gpu, **changes))


def test_a_quiet_machine_says_nothing() -> None:
    assert noise_of().words() == []
    assert not noise_of().is_disturbed


def test_what_cannot_be_read_is_no_disturbance() -> None:
    unknown = Noise(2, Reading(0.0), (Reading(1.0), Reading(2.0, gpu=GpuReading())), Reading(3.0), None)
    assert unknown.words() == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (noise_of(others_share=0.5), "other work kept 1.0 of 2 processors busy while this was measured"),
        (noise_of(QUIET, but(others_share=0.9)), "for a moment other work kept 1.8 of 2 processors busy"),
        (
            noise_of(others_share=None, before=dataclasses.replace(BEFORE, load_average_1min=9.0)),
            "before it began 9.0 processes wanted 2 processors (load average)",
        ),
        (noise_of(but(cpu_mhz=3700.0), but(cpu_mhz=2200.0)), "the processor's clock fell from 3700 to 2200 MHz"),
        (noise_of(but(cpu_mhz=2200.0), before=BEFORE), "the processor's clock fell from 3000 to 2200 MHz"),
        (
            noise_of(but(temperature_c=97.0), after=but(throttle_count=12)),
            "heat slowed the processor 5 times (up to 97 °C)",
        ),
        (
            noise_of(before=on_gpu(utilisation=0.87)),
            "the GPU was busy 87% of the time before this began",
        ),
        (noise_of(on_gpu(other_processes=1)), "1 other process computed on the GPU"),
        (noise_of(on_gpu(other_processes=2)), "2 other processes computed on the GPU"),
        (noise_of(QUIET, on_gpu(sm_clock_mhz=1200)), "the GPU's clock fell from 1980 to 1200 MHz"),
        (noise_of(on_gpu(throttle_reasons=("hardware slowdown",))), "the GPU was slowed: hardware slowdown"),
    ],
)
def test_each_disturbance_is_a_sentence(found: Noise, said: str) -> None:
    assert found.words() == [f"{DISTURBED} {said}"]
    assert found.is_disturbed


def test_a_machine_at_rest_before_is_slow_and_that_disturbs_nothing() -> None:
    assert noise_of(QUIET, before=but(cpu_mhz=800.0, gpu=None)).words() == []


def test_it_reads_what_it_wrote() -> None:
    found = noise_of(QUIET, but(gpu=None, others_share=None))
    assert Noise.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"before": None}, "noise.before"),
        ({"during": [{"at_s": "x"}]}, "noise.during.0.at_s"),
        ({"during": {}}, "noise.during.at_s"),
        ({"loud": 1}, "noise.loud"),
        ({"after": {"at_s": 1.0, "gpu": {"sm_clock_mhz": "fast"}}}, "noise.after.gpu.sm_clock_mhz"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        Noise.from_dict({**noise_of().to_dict(), **change})
    assert field in [problem.field for problem in caught.value.problems]


def test_ticks_are_half_a_second_apart_and_of_a_long_run_neighbours_are_joined() -> None:
    now_s = itertools.count(0.0, 0.01)
    watch = NoiseWatch(clock=lambda: next(now_s))
    watch.before(0.0)
    for _ in range(20_000):
        watch.tick()
    found = watch.after()
    assert noise.MOST_READINGS // 2 <= len(found.during) < noise.MOST_READINGS
    moments = [each.at_s for each in found.during]
    assert moments == sorted(moments)
    assert moments[-1] > 0.5 * found.after.at_s
    assert watch.spacing_s > noise.TICK_S


def test_joined_readings_keep_the_more_alarming_figure() -> None:
    calm = but(at_s=1.0, others_share=None, gpu=None)
    loud = but(at_s=2.0, others_share=0.8, cpu_mhz=1000.0, temperature_c=None, throttle_count=9)
    loud = dataclasses.replace(loud, gpu=dataclasses.replace(QUIET.gpu, throttle_reasons=("power brake",)))
    for found in (noise.joined(calm, loud), noise.joined(dataclasses.replace(loud, at_s=1.0), but(at_s=2.0, gpu=None))):
        assert (found.at_s, found.others_share, found.cpu_mhz, found.temperature_c) == (2.0, 0.8, 1000.0, 50.0)
        assert found.throttle_count == 9
        assert found.gpu is not None
        assert found.gpu.throttle_reasons == ("power brake",)


def test_where_no_counters_are_shares_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "now", lambda cpus: None)
    watch = NoiseWatch()
    watch.before(0.0)
    watch.tick()
    assert watch.after().others_share is None


def test_a_share_is_of_our_processors_and_never_above_one(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([Moment(0, 0, 0), Moment(1, 1, 0), Moment(2, 11, 0), Moment(3, 11, 0)])
    monkeypatch.setattr(noise, "now", lambda cpus: next(moments))
    monkeypatch.setattr(noise, "usable_cpus", lambda: frozenset({0, 1}))
    watch = NoiseWatch()
    assert watch.before(0.0).others_share == 0.5
    assert watch.read().others_share == 1.0
    assert watch.after().others_share == 1.0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be put on one processor here")
def test_one_spinning_process_beside_a_real_watch_marks_it() -> None:
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})  # inherited by the process that spins
    try:
        spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            watch = NoiseWatch()
            watch.before()
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                watch.tick()
                time.sleep(0.01)
            found = watch.after()
        finally:
            spinner.kill()
            spinner.wait()
    finally:
        os.sched_setaffinity(0, usable)
    assert found.processors == 1
    assert found.others_share is not None
    assert found.others_share > 0.5
    assert any("other work kept" in text for text in found.words())
    assert found.is_disturbed


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be put on one processor here")
def test_a_real_run_beside_one_spinning_process_says_so() -> None:
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})  # inherited by the process that spins and by the one that measures
    try:
        spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            run = run_benchmark(BenchmarkSpec(256, 1024, tokens=256, n_blocks=(4,), threads=1, max_seconds=3.0))
        finally:
            spinner.kill()
            spinner.wait()
    finally:
        os.sched_setaffinity(0, usable)
    assert is_disturbed(run)
    assert is_disturbed(run, "forward")
    assert run.noise is not None
    assert run.noise.is_disturbed
