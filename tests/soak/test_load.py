"""A hundred polling clients and fifty that listen, on ten thousand stored jobs: how quick answers are, and that memory stays flat.

``SOAK_SECONDS`` changes how long the long form takes, 600 by default.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import pytest
from service_tools import ROOT, answers, wait_until
from soak.faults.quick import quick_spec
from soak.faults.service import Service
from soak.filling import fill
from soak.reports import publish

from backend.settings import Settings

MIB = 2**20
MOST_GROWTH_MIB_PER_MINUTE = 2.0
"""Above it memory is not flat: 10 minutes would add 20 MiB to a process of some hundred."""
WARM_UP_SHARE = 0.3
"""The first part of the time fills caches and pools of threads; the slope is of the rest."""
SAMPLE_S = 0.5


def slope_per_minute(samples: list[tuple[float, float]]) -> float:
    """Theil-Sen: the median slope of all pairs, so that a single burst weighs nothing."""
    step = max(1, len(samples) // 200)
    few = samples[::step]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(few) for b in few[i + 1 :]]
    return median(slopes) * 60


class Memory(threading.Thread):
    """Samples the resident memory of a process: (seconds, MiB)."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.samples: list[tuple[float, float]] = []
        self._process, self._over = psutil.Process(pid), threading.Event()

    def run(self) -> None:
        started = time.monotonic()
        while not self._over.wait(SAMPLE_S):
            self.samples.append((time.monotonic() - started, self._process.memory_info().rss / MIB))

    def end(self) -> list[tuple[float, float]]:
        self._over.set()
        self.join()
        return self.samples


def crowd(url: str, busy: str, *, seconds: float, polling: int, listening: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "soak.crowd", url, busy, f"--seconds={seconds}"]
    done = subprocess.run(
        [*command, "--submit", f"--polling={polling}", f"--listening={listening}"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def loaded(folder: Path, *, jobs: int, results: int, seconds: float, polling: int, listening: int) -> dict[str, Any]:
    """Fill a database, send the crowd, and return what was measured."""
    service = Service(folder, {})
    fill(Settings(home=folder / "home"), jobs=jobs, with_results=results)
    try:
        service.start()
        with service.client(30.0) as client:
            wait_until(lambda: answers(client, "/readyz"), "the start of the server")
            # One job runs all the time and reports ten times a second: what event clients and long polls are there for.
            busy = client.post("/api/v1/benchmarks", json=quick_spec(1, round((seconds + 60) * 1000))).json()["id"]
            memory = Memory(service.pid)
            memory.start()
            try:
                figures = crowd(service.url, busy, seconds=seconds, polling=polling, listening=listening)
            finally:
                samples = memory.end()
            used = psutil.Process(service.pid).cpu_times()
            assert client.get(f"/api/v1/jobs/{busy}").json()["status"] == "running"
    finally:
        service.close()
    later = [sample for sample in samples if sample[0] >= samples[-1][0] * WARM_UP_SHARE]
    return {
        "jobs": jobs,
        "results": results,
        "polling": polling,
        "listening": listening,
        "seconds": seconds,
        "times_ms": {
            name: spread(values) for name, values in sorted(figures["seconds"].items()) if name != "long poll"
        },
        "answers": figures["answers"],
        "memory_mib": [samples[0][1], later[0][1], samples[-1][1]],
        "growth_mib_per_minute": slope_per_minute(later),
        "server_cpu_s": used.user + used.system,
    }


def spread(seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=20)
    return {"count": len(seconds), "p50": median(seconds) * 1e3, "p95": cuts[18] * 1e3, "max": max(seconds) * 1e3}


def table(found: dict[str, Any]) -> str:
    title = (
        "load: {polling} polling and {listening} event clients, {jobs} jobs, {results} with results, {seconds:.0f} s"
    )
    lines = [title.format(**found), f"{'':<14}{'count':>7}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}"]
    for name, row in found["times_ms"].items():
        lines.append(f"{name:<14}{row['count']:>7}{row['p50']:>9.1f}{row['p95']:>9.1f}{row['max']:>9.1f}")
    start, warm, end = found["memory_mib"]
    lines.append(f"memory MiB: {start:.0f} at the start, {warm:.0f} warm, {end:.0f} at the end")
    lines.append(f"slope {found['growth_mib_per_minute']:+.2f} MiB a minute; processor {found['server_cpu_s']:.0f} s")
    lines.append("answers: " + ", ".join(f"{name}: {count}" for name, count in sorted(found["answers"].items())))
    return "\n".join(lines)


def nobody_was_refused(found: dict[str, Any]) -> None:
    wrong = {
        name: count
        for name, count in found["answers"].items()
        if name.rpartition(" ")[2] not in ("200", "202", "events")
    }
    assert wrong == {}


def test_a_small_crowd_is_answered(tmp_path: Path) -> None:
    found = loaded(tmp_path / "load", jobs=1000, results=50, seconds=4, polling=30, listening=15)
    publish("load_short", table(found), found)
    nobody_was_refused(found)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_crowd_on_ten_thousand_jobs_is_answered_and_memory_stays_flat(tmp_path: Path) -> None:
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    found = loaded(tmp_path / "load", jobs=10_000, results=1000, seconds=seconds, polling=100, listening=50)
    publish("load", table(found), found)
    nobody_was_refused(found)
    assert found["growth_mib_per_minute"] < MOST_GROWTH_MIB_PER_MINUTE
