"""Memory that runs out inside a container's limit: the measuring process dies of it, the job says so, the service lives on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from containers.engine import docker, project
from service_tools import LONG, SMALL, ended, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

LIMIT_MB = 1500
NEIGHBOUR = """
import os, time
held = []
while not os.path.exists("/tmp/enough") and len(held) < 90:  # 10 MB at a time, in all less than the limit leaves beside the service
    held.append(bytearray(os.urandom(10_000_000)))
    time.sleep(0.05)
while not os.path.exists("/tmp/enough"):
    time.sleep(0.1)
"""
"""Something else in the container that wants memory; it has done nothing to be spared, and is."""


def test_the_measuring_process_is_the_one_that_dies(tree: Path, image: Callable[[str], str]) -> None:
    images = {"backend": image("backend"), "dashboard": image("dashboard")}
    limit = {"DYAD_BACKEND_MEMORY": f"{LIMIT_MB}m"}
    with project(tree / "docker", ("compose.yaml",), images, limit) as made:
        made.up("backend")
        before = made.container("backend")
        with made.client() as client:
            run = client.post("/api/v1/benchmarks", json=LONG).json()["id"]
            wait_until(lambda: client.get(f"/api/v1/jobs/{run}").json()["progress"], "the first sample")
            docker("exec", "--detach", before["Id"], "python", "-c", NEIGHBOUR)

            record = ended(client, run)
            docker("exec", before["Id"], "touch", "/tmp/enough")

            assert record["status"] == "failed"
            assert record["error"]["reason"] == "out_of_memory", record["error"]
            assert client.get("/healthz").is_success
            after = made.container("backend")
            assert (after["State"]["StartedAt"], after["RestartCount"]) == (before["State"]["StartedAt"], 0)
            again = client.post("/api/v1/benchmarks", json=SMALL).json()["id"]
            assert ended(client, again)["status"] == "succeeded"
