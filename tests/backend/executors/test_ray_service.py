"""The real service on a real Ray cluster of this machine: sweeps over its nodes, jobs whose node dies."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ray_tools import RayCluster, eventually, skip_reason
from service_tools import LONG, ended

from backend.ports import free_port

pytestmark = pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())


@pytest.fixture(scope="module")
def started(cluster: RayCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The real service on the cluster, in a process of its own."""
    cluster.fill(2)
    port, home = free_port("127.0.0.1"), tmp_path_factory.mktemp("home")
    settings = {
        "DYAD_EXECUTOR": "ray",
        "DYAD_RAY_ADDRESS": cluster.address,
        "DYAD_HOME": str(home),
        "DYAD_PORT": str(port),
        "DYAD_REFERENCE_RUNS": "0",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend"],
            env={**cluster.environment, **settings},
            cwd=cluster.code,
            stderr=log,
            stdout=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            wait_for_nodes(client, home / "log")
            yield client
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def service(started: httpx.Client, cluster: RayCluster) -> httpx.Client:
    """The same, with two nodes that measure."""
    cluster.fill(2)
    wait_for_nodes(started)
    return started


def wait_for_nodes(client: httpx.Client, log: Path | None = None) -> None:
    def are_there() -> bool:
        with contextlib.suppress(httpx.TransportError):
            groups = client.get("/api/v1/system").json()["device_groups"]
            return [group["total"] for group in groups] == [2]
        return False

    eventually(are_there, within_s=90, what="the service sees both nodes", log=log)


def test_a_sweep_is_measured_by_both_nodes(service: httpx.Client) -> None:
    sweep = {
        "widths": [32, 64],
        "tokens": [8],
        "n_blocks": [4],
        "threads": 1,
        "max_seconds": 120,
        "target_interval": 0.9,
    }
    job = service.post("/api/v1/sweeps", json=sweep)
    assert job.status_code == 202, job.text
    record = ended(service, job.json()["id"])
    assert record["status"] == "succeeded", record
    assert len(record["place"].split(", ")) == 2
    said = service.get(f"/api/v1/jobs/{record['id']}/log").json()["items"]
    for place in record["place"].split(", "):
        assert any(f"measuring process on {place} ended" in line["text"] for line in said), said
    assert len(record["result"]["points"]) == 2


def test_a_job_whose_node_dies_is_started_on_another(service: httpx.Client, cluster: RayCluster) -> None:
    job = service.post("/api/v1/benchmarks?attempts=2", json=LONG)
    assert job.status_code == 202, job.text
    path = f"/api/v1/jobs/{job.json()['id']}"

    def measures(attempt: int) -> str | None:
        record = service.get(path).json()
        assert record["status"] in ("queued", "running"), record
        measuring = record["attempt"] == attempt and (record["progress"] or {}).get("stage") not in (None, "starting")
        return str(record["place"]) if measuring else None

    first = eventually(lambda: measures(1), within_s=90, what="it is measured")
    name = next(name for name, node in cluster.nodes.items() if f" {node.address} " in first)
    cluster.nodes.pop(name).kill()
    second = eventually(lambda: measures(2), within_s=90, what="it is measured elsewhere")
    assert second != first
    assert service.post(f"{path.replace('jobs', 'benchmarks')}/cancel").status_code in (200, 202)
    assert ended(service, job.json()["id"])["status"] == "cancelled"
    assert "is gone" in str(service.get(f"{path}/log").json()) or "was lost" in str(service.get(f"{path}/log").json())
