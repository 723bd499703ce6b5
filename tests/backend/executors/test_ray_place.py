"""Work on a place in a real Ray cluster: its results, its errors, and how it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from ray_tools import RayCluster, eventually, run, skip_reason

from backend.executors.base import Limits, Reservation
from backend.executors.ray_executor import RayExecutor
from dyad_core.bench import BenchmarkSpec, run_benchmark
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed, BenchmarkMemoryLimit, BenchmarkTimeout, SpecError

pytestmark = pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())


def test_a_benchmark_is_measured_there_and_checked_there(reserve: Callable[..., Reservation]) -> None:
    place = reserve()

    def run_there(work: Any, /, *, on_message: Any, cancel: Any, timeout_s: float | None) -> Any:
        return place.run(work, on_message=on_message, cancel=cancel or threading.Event(), limits=Limits(timeout_s))

    spec = BenchmarkSpec(32, 64, tokens=8, n_blocks=(4,), threads=1, max_seconds=2, target_interval=0.9)
    stages: list[str] = []
    found = run_benchmark(
        spec, run_work=run_there, check="there", on_progress=lambda progress: stages.append(progress.stage)
    )
    assert found.environment.hostname == os.uname().nodename
    assert found.environment.threads == 1
    assert found.candidates[1].samples_ms
    assert len(set(stages)) > 1
    with pytest.raises(SpecError) as refused:
        run_benchmark(BenchmarkSpec(32, 64, threads=4096), run_work=run_there, check="there")
    assert refused.value.problems[0].field == "threads"


def test_errors_come_across_whole_and_the_place_goes_on(reserve: Callable[..., Reservation]) -> None:
    place = reserve()
    with pytest.raises(BenchmarkFailed) as failed:
        run(place, "print('the last words', file=sys.stderr, flush=True); os._exit(3)")
    assert (failed.value.exit_code, failed.value.stderr_tail) == (3, "the last words")
    assert failed.value.__notes__ == [f"on {place.places[0]}"]
    with pytest.raises(BenchmarkTimeout, match="past its limit of 1 s"):
        run(place, "time.sleep(60)", limits=Limits(seconds=1.0))
    with pytest.raises(BenchmarkMemoryLimit) as held:
        run(place, "kept = bytearray(300 << 20); time.sleep(60)", limits=Limits(memory_bytes=200 << 20))
    assert held.value.limit_bytes == 200 << 20
    assert run(place, "return 7") == 7


def test_cancelling_ends_the_process_and_all_that_it_started(reserve: Callable[..., Reservation]) -> None:
    place, cancel, started = reserve(), threading.Event(), threading.Event()
    pids: list[int] = []

    def hear(message: dict[str, Any]) -> None:
        pids.extend(message["pids"])
        started.set()

    text = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "report({'pids': [os.getpid(), child.pid]})\ntime.sleep(600)"
    )
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, place, text, on_message=hear, cancel=cancel)
        assert started.wait(60)
        cancel.set()
        with pytest.raises(BenchmarkCancelled):
            running.result(30)
    eventually(lambda: not any(map(psutil.pid_exists, pids)), within_s=10, what="both processes are gone")
    assert run(place, "return 7") == 7  # with an actor anew


def test_what_a_listener_raises_ends_the_work(reserve: Callable[..., Reservation]) -> None:
    place, pids = reserve(), []

    def hear(message: dict[str, Any]) -> None:
        pids.append(message["pid"])
        raise KeyError("full")

    with pytest.raises(KeyError):
        run(place, "report({'pid': os.getpid()}); time.sleep(600)", on_message=hear)
    eventually(lambda: not psutil.pid_exists(pids[0]), within_s=10, what="the process is gone")


CLIENT = """
import sys, threading
from backend.executors.ray_executor import RayExecutor
from backend.executors.base import Needs
from ray_tools import script
executor = RayExecutor(sys.argv[1])
executor.open()
place = executor.reserve(Needs("cpu"))
say = lambda message: print(message["pid"], flush=True)
place.run(script("report({'pid': os.getpid()}); time.sleep(600)"), on_message=say, cancel=threading.Event())
"""


def test_a_service_that_is_killed_leaves_no_process_behind(cluster: RayCluster, executor: RayExecutor) -> None:
    command = [sys.executable, "-c", CLIENT, cluster.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=cluster.environment, cwd=cluster.code) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        assert psutil.pid_exists(pid)
        service.send_signal(signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid), within_s=30, what="the measuring process is gone")
