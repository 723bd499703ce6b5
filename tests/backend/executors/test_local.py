"""Devices of this machine: who may run beside whom, and that everything is given back."""

import os
import sys
import threading

import pytest
from service_tools import alive, wait_until

from backend.executors import local
from backend.executors.base import SERVER, Limits, Needs, NoSuchDevice
from backend.executors.local import LocalExecutor
from dyad_core.bench.process import Work
from dyad_core.errors import BenchmarkCancelled, BenchmarkMemoryLimit, BenchmarkTimeout

MEASURE, GPU, OTHER_GPU = Needs("cpu"), Needs("cuda:0"), Needs("cuda:1")
SHARED = Needs(SERVER, alone=False)


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    monkeypatch.setattr(local, "usable_cores", lambda _cpus: 4)
    made = LocalExecutor(workers=2)
    monkeypatch.setattr(made, "_cpus", [0, 1, 2, 3])
    monkeypatch.setattr(made, "_move_service", lambda _cpus: None)
    return made


def test_one_measurement_at_a_time_per_device(executor: LocalExecutor) -> None:
    first = executor.reserve(MEASURE)
    assert first is not None
    assert executor.reserve(MEASURE) is None
    first.release()
    first.release()
    assert executor.reserve(MEASURE) is not None


def test_gpus_are_measured_beside_each_other_and_never_beside_the_processor(executor: LocalExecutor) -> None:
    gpu, other = executor.reserve(GPU), executor.reserve(OTHER_GPU)
    assert gpu is not None
    assert other is not None
    assert executor.reserve(Needs("cuda")) is None
    assert executor.reserve(MEASURE) is None
    gpu.release()
    assert executor.reserve(MEASURE) is None
    other.release()
    measuring = executor.reserve(MEASURE)
    assert measuring is not None
    assert executor.reserve(GPU) is None


def test_other_work_runs_beside_a_measurement_where_processors_are_left(executor: LocalExecutor) -> None:
    small = executor.reserve(Needs("cpu", threads=3))
    assert small is not None
    beside = executor.reserve(SHARED)
    assert beside is not None
    small.release()
    assert executor.reserve(MEASURE) is None  # it needs the processor for itself
    beside.release()
    assert executor.reserve(MEASURE) is not None
    assert executor.reserve(SHARED) is None


def test_other_work_is_bounded_and_runs_beside_gpus(executor: LocalExecutor) -> None:
    assert executor.reserve(GPU) is not None
    held = [executor.reserve(SHARED) for _ in range(3)]
    assert [one is None for one in held] == [False, False, True]


def test_nobody_overtakes_what_waits_for_the_same(executor: LocalExecutor) -> None:
    assert executor.may_overtake(GPU, [])
    assert not executor.may_overtake(Needs("cuda"), [GPU])
    assert executor.may_overtake(OTHER_GPU, [GPU])
    assert not executor.may_overtake(OTHER_GPU, [MEASURE])
    assert not executor.may_overtake(SHARED, [MEASURE])
    measuring = executor.reserve(MEASURE)
    assert measuring is not None
    assert executor.may_overtake(SHARED, [MEASURE])
    assert not executor.may_overtake(OTHER_GPU, [MEASURE])


def test_a_device_that_is_not_there_is_said_with_those_that_are() -> None:
    executor = LocalExecutor()
    executor.check(MEASURE)
    executor.check(SHARED)
    with pytest.raises(NoSuchDevice, match="no device H200; it has server, cpu"):
        executor.check(Needs("H200"))
    with pytest.raises(NoSuchDevice, match="2 devices were asked for"):
        executor.check(Needs("cpu", count=2))


def test_freeing_a_device_wakes_whoever_waits(executor: LocalExecutor) -> None:
    woken = threading.Event()
    executor.when_freed(woken.set)
    reservation = executor.reserve(MEASURE)
    assert reservation is not None
    assert executor.groups()[0].free == 0
    assert not woken.is_set()
    reservation.release()
    assert woken.is_set()
    assert executor.groups()[0].free == 1


PROGRAM = """
import json, os, subprocess, sys, time
request = json.loads(sys.stdin.readline())
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
told = {"pid": os.getpid(), "child": child.pid, "cpus": sorted(os.sched_getaffinity(0))}
print(chr(30) + json.dumps(told), flush=True)
held = [bytearray(b"x" * (1 << 20)) for _ in range(request["mebibytes"])]
time.sleep(request["seconds"])
child.kill()
with open(request["result_path"], "w") as file:
    json.dump({"result": len(held)}, file)
"""
"""What :mod:`dyad_core.bench.serving` does, without the seconds that importing torch takes."""


def work(seconds: float = 600.0, mebibytes: int = 0) -> Work:
    return Work(
        (sys.executable, "-c", PROGRAM),
        {"seconds": seconds, "mebibytes": mebibytes},
        name="test",
        process_name="test process",
    )


def told_by(executor: LocalExecutor, work: Work, limits: Limits, error: type[Exception]) -> tuple[Exception, list[int]]:
    """Run work that must end in ``error``; the error, and the processes there were."""
    heard: list[dict[str, int]] = []
    cancel = threading.Event()

    def hear(message: dict[str, int]) -> None:
        heard.append(message)
        if error is BenchmarkCancelled:
            cancel.set()

    reservation = executor.reserve(MEASURE)
    assert reservation is not None
    with pytest.raises(error) as caught:
        reservation.run(work, on_message=hear, cancel=cancel, limits=limits)
    return caught.value, [heard[0]["pid"], heard[0]["child"]]


def test_a_time_limit_ends_the_whole_tree() -> None:
    _, processes = told_by(LocalExecutor(), work(), Limits(seconds=3.0), BenchmarkTimeout)
    wait_until(lambda: not any(map(alive, processes)), "the end of the tree")


def test_cancelling_ends_the_whole_tree_with_what_left_its_group() -> None:
    _, processes = told_by(LocalExecutor(), work(), Limits(), BenchmarkCancelled)
    wait_until(lambda: not any(map(alive, processes)), "the end of the tree")


def test_a_memory_limit_ends_the_whole_tree_and_says_limit_and_figure() -> None:
    limit = 200 << 20
    error, processes = told_by(LocalExecutor(), work(mebibytes=400), Limits(memory_bytes=limit), BenchmarkMemoryLimit)
    assert isinstance(error, BenchmarkMemoryLimit)
    assert error.limit_bytes == limit < error.held_bytes
    assert "where its limit is 0.20 GiB" in str(error)
    wait_until(lambda: not any(map(alive, processes)), "the end of the tree")


def test_work_gets_every_processor_that_the_service_had_at_its_start() -> None:
    executor = LocalExecutor()
    usable = os.sched_getaffinity(0)
    reservation = executor.reserve(MEASURE)
    assert reservation is not None
    heard: list[dict[str, list[int]]] = []
    os.sched_setaffinity(0, {min(usable)})  # as the service does while something is measured beside it
    try:
        result = reservation.run(work(0.0), on_message=heard.append, cancel=threading.Event())
    finally:
        os.sched_setaffinity(0, usable)
    assert result == 0
    assert set(heard[0]["cpus"]) == usable
