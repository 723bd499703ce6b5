"""What a hundred polling clients do to a measurement: nothing beyond its interval, or the run says that it was disturbed.

The same benchmark is measured with and without the crowd in turn, on one service. Run it on a quiet machine (``make soak``);
``SOAK_TURNS`` changes how often the two take turns.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest
from service_tools import ROOT, SMALL, ended, serving
from soak.reports import publish

from dyad_core.bench import BenchmarkRun
from dyad_core.bench.disturbance import is_disturbed

RUNS = "/api/v1/benchmarks"
MEASURED = SMALL | {"in_features": 768, "out_features": 768, "tokens": 256, "max_seconds": 20.0, "threads": None}
CLIENTS = 100


@contextmanager
def crowd(url: str, busy: str, clients: int) -> Iterator[None]:
    """Clients that read and wait for news of the job ``busy``, until the block ends."""
    command = [sys.executable, "-m", "soak.crowd", url, busy, "--seconds=3600", f"--polling={clients}", "--listening=0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
            assert process.poll() is None, "the crowd ended early"
        finally:
            process.kill()


def measured(client: httpx.Client, clients: int, changes: dict[str, Any]) -> dict[str, Any]:
    """One run with so many clients around it: the figures that a person reads."""
    run_id = client.post(RUNS, json=MEASURED | changes, params={"again": True}).json()["id"]
    if clients:
        with crowd(str(client.base_url), run_id, clients):
            record = limited(client, run_id)
    else:
        record = limited(client, run_id)
    assert record["status"] == "succeeded", record["error"]
    run = BenchmarkRun.from_dict(client.get(f"{RUNS}/{run_id}").json()["result"])
    dense, dyad = run.candidates[0], run.candidates[1]
    return {
        "clients": clients,
        "speedup": dyad.speedup,
        "low": dyad.speedup_low,
        "high": dyad.speedup_high,
        "dense_ms": dense.median_ms,
        "dyad_ms": dyad.median_ms,
        "disturbed": is_disturbed(run),
    }


def limited(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """The record of the run at its end; asked for seldom, for this client is none of the crowd."""
    while True:
        record: dict[str, Any] = client.get(f"/api/v1/jobs/{run_id}", params={"wait_s": 25}).json()
        if record["status"] not in ("queued", "running"):
            return ended(client, run_id)


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'clients':>8}{'dense ms':>10}{'DYAD ms':>10}{'speed-up':>10}{'interval':>16}  disturbed"]
    for row in rows:
        interval = f"{row['low']:.3f}-{row['high']:.3f}"
        lines.append(
            f"{row['clients']:>8}{row['dense_ms']:>10.3f}{row['dyad_ms']:>10.3f}{row['speedup']:>10.3f}{interval:>16}"
            f"  {'yes' if row['disturbed'] else 'no'}"
        )
    for clients in sorted({row["clients"] for row in rows}):
        mine = [row for row in rows if row["clients"] == clients]
        lines.append(f"median of {len(mine)} runs with {clients} clients: {median(row['speedup'] for row in mine):.3f}")
    return "\n".join(lines)


def in_turn(home: Path, turns: int, clients: int, **changes: Any) -> list[dict[str, Any]]:
    with serving(home) as (client, _process):
        client.timeout = httpx.Timeout(60.0)
        return [measured(client, each, changes) for _ in range(turns) for each in (0, clients)]


def agree(rows: list[dict[str, Any]]) -> None:
    """Each run with a crowd overlaps the one before it without, or says that it was disturbed."""
    for alone, crowded in zip(rows[::2], rows[1::2], strict=True):
        overlap = alone["low"] <= crowded["high"] and crowded["low"] <= alone["high"]
        assert overlap or crowded["disturbed"] or alone["disturbed"], (alone, crowded)


def test_a_run_with_clients_around_it_is_told_and_compared(tmp_path: Path) -> None:
    rows = in_turn(tmp_path / "home", 1, 10, max_seconds=1.0)
    publish("undisturbed_short", table(rows), rows)
    assert [row["clients"] for row in rows] == [0, 10]  # whether they agree is for a quiet machine to say
    assert all(row["low"] <= row["speedup"] <= row["high"] for row in rows)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_hundred_clients_leave_the_measured_figure_alone(tmp_path: Path) -> None:
    rows = in_turn(tmp_path / "home", int(os.environ.get("SOAK_TURNS", "4")), CLIENTS)
    publish("undisturbed", table(rows), rows)
    agree(rows)
