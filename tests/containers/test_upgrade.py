"""An upgrade for real: the image of an earlier revision fills a volume and is killed at work; this one goes on with it.

The earlier revision is the one that ``DYAD_PREVIOUS_REVISION`` names, else the last tag, else the last before jobs became durable.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
from containers.engine import PREFIX, ROOT, build, copy_source, docker
from service_tools import LONG, SMALL, answers, ended, npy, send, wait_until

from backend.ports import free_port

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

BEFORE_DURABLE_JOBS = "a87a509"
HARDENED = ("--init", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
IMPORTED = ROOT / "dyad_core/bench/reference_runs"
PROJECTION = "/api/v1/structure/projection"
SWEEP = {"widths": [32, 64], "tokens": [8], "n_blocks": [4], "threads": 1, "max_seconds": 100, "target_interval": 0.9}


def revision() -> str:
    """The full name of the earlier revision; skips where git or its history is missing."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so there is no earlier revision to build")
    tag = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    wanted = os.environ.get("DYAD_PREVIOUS_REVISION") or tag.stdout.strip() or BEFORE_DURABLE_JOBS
    command = ["git", "rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if not found:
        pytest.skip(f"the git history here has no {wanted}; a shallow clone has not, for example")
    return found


@pytest.fixture(scope="module")
def previous(engine: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the earlier revision."""
    name = revision()
    tag = f"{PREFIX}-backend:{name[:12]}"
    if docker("image", "inspect", tag, check=False).returncode:
        build(copy_source(tmp_path_factory.mktemp("previous") / "tree", name), "backend", tag)
    return tag


@pytest.fixture
def volume(engine: None) -> Iterator[str]:
    name = docker("volume", "create").stdout.strip()
    yield name
    docker("volume", "rm", name)


@contextmanager
def running(image: str, volume: str) -> Iterator[tuple[httpx.Client, str]]:
    """A client of the service of ``image`` on ``volume``, and its container, which is removed at the end."""
    port = free_port("127.0.0.1")
    settings = ("--env", "DYAD_REFERENCE_RUNS=0", "--publish", f"127.0.0.1:{port}:8000", "--volume", f"{volume}:/data")
    container = docker("run", "--detach", *HARDENED, *settings, image).stdout.strip()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60.0) as client:
            wait_until(lambda: answers(client, "/healthz"), "the start of the service")
            yield client, container
    finally:
        docker("rm", "--force", container)


def fill(client: httpx.Client) -> dict[str, Any]:
    """Runs of every ending, an import, a file and a projection of it; what the service then says about all of them."""
    runs = [client.post("/api/v1/benchmarks", json=SMALL | {"seed": seed}).json()["id"] for seed in range(2)]
    uploaded = send(client, npy(np.random.default_rng(0).standard_normal((48, 24)).astype(np.float32)), "up").json()
    projected = client.post(PROJECTION, json={"upload": uploaded["id"], "n_blocks": [4]})
    assert projected.status_code == 202, projected.text
    file = next(IMPORTED.glob("*.json"))
    imported = client.post(
        "/api/v1/benchmarks/import", content=file.read_bytes(), headers={"Content-Type": "application/json"}
    )
    assert imported.status_code == 201, imported.text
    swept = client.post("/api/v1/sweeps", json=SWEEP)
    assert swept.status_code == 202, swept.text
    cancelled = client.post("/api/v1/benchmarks", json=LONG).json()["id"]
    client.post(f"/api/v1/jobs/{cancelled}/cancel")
    for run in [*runs, projected.json()["id"], swept.json()["id"]]:
        assert ended(client, run)["status"] == "succeeded"
    assert ended(client, cancelled)["status"] == "cancelled"
    return told(client)


def told(client: httpx.Client) -> dict[str, Any]:
    """Every record, export and upload, by address."""
    jobs = client.get("/api/v1/jobs", params={"limit": 100}).json()
    assert jobs["total"] <= 100
    addresses = [f"/api/v1/jobs/{job['id']}" for job in jobs["items"]]
    for job in jobs["items"]:
        if job["kind"] == "benchmark" and job["status"] == "succeeded":
            addresses += [f"/api/v1/benchmarks/{job['id']}", f"/api/v1/benchmarks/{job['id']}/export?format=json"]
    addresses += [f"/api/v1/uploads/{upload['id']}" for upload in client.get("/api/v1/uploads").json()["items"]]
    return {address: client.get(address).raise_for_status().json() for address in addresses}


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """Where ``after`` lacks or changes something of ``before``; what is new in it is no loss."""
    if isinstance(before, dict) and isinstance(after, dict):
        missing = [f"{where}.{name} is gone" for name in before if name not in after]
        return missing + [
            line for name in before if name in after for line in lost(before[name], after[name], f"{where}.{name}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            line
            for index, (old, new) in enumerate(zip(before, after, strict=True))
            for line in lost(old, new, f"{where}[{index}]")
        ]
    return [] if before == after else [f"{where}: {json.dumps(before)[:80]} became {json.dumps(after)[:80]}"]


def test_everything_is_there_after_an_upgrade_and_the_queue_goes_on(
    previous: str, image: Callable[[str], str], volume: str
) -> None:
    with running(previous, volume) as (client, container):
        before = fill(client)
        at_work = client.post("/api/v1/benchmarks", json=LONG).json()["id"]
        wait_until(lambda: client.get(f"/api/v1/jobs/{at_work}").json()["status"] == "running", "its start")
        waiting = client.post("/api/v1/benchmarks", json=SMALL | {"seed": 9}).json()["id"]
        docker("kill", container)

    with running(image("backend"), volume) as (client, container):
        assert client.get("/readyz").json()["status"] == "ready", client.get("/readyz").text
        after = {address: client.get(address).raise_for_status().json() for address in before}
        assert lost(before, after) == []
        assert ended(client, at_work)["status"] == "interrupted"
        assert ended(client, waiting)["status"] == "succeeded"

        new = client.post("/api/v1/benchmarks", json=SMALL | {"seed": 10}).json()["id"]
        assert ended(client, new)["status"] == "succeeded"
        (upload,) = client.get("/api/v1/uploads").json()["items"]
        projected = client.post(PROJECTION, json={"upload": upload["id"], "n_blocks": [3]}).json()["id"]
        assert ended(client, projected)["status"] == "succeeded"
        kept = told(client)
        docker("stop", "--time", "30", container)

    options = (*HARDENED, "--rm", "--volume", f"{volume}:/data")
    refused = docker("run", *options, previous, check=False)  # the way back is a restored backup, and it says so
    assert refused.returncode != 0
    assert "was written by another version of dyad-explorer" in refused.stderr, refused.stderr

    with running(image("backend"), volume) as (client, _):
        assert lost(kept, told(client)) == []
