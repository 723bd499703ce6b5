"""docker/compose.cluster.yaml for real: a job on a worker, tokens, networks that lead nowhere, a second worker, down and up again.

PostgreSQL is the image that ``DYAD_POSTGRES_IMAGE`` names, or a stand-in from Debian's packages where no image can be pulled.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from containers.engine import Project, docker, project
from service_tools import SMALL, ended, wait_until
from soak.reports import publish

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

INSIDE = ("postgres", "ray-head", "worker")
REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


@pytest.fixture(scope="module")
def secrets(tree: Path) -> Path:
    """A folder of passwords, as the script of the repository makes it."""
    folder = tree.parent / "secrets"
    subprocess.run([tree / "scripts/make-secrets"], env=os.environ | {"DYAD_SECRETS": str(folder)}, check=True)
    return folder


@pytest.fixture(scope="module")
def up(tree: Path, image: Callable[[str], str], postgres: str, secrets: Path) -> Iterator[Project]:
    ours = dict.fromkeys(("backend", "ray-head", "worker"), image("cluster"))
    images = ours | {"dashboard": image("dashboard"), "postgres": os.environ.get("DYAD_POSTGRES_IMAGE") or postgres}
    limits = {f"DYAD_{name}_MEMORY": "3g" for name in ("BACKEND", "RAY_HEAD", "WORKER", "POSTGRES")}
    environment = {"DYAD_SECRETS": str(secrets), **limits}
    token = (secrets / "api_token").read_text(encoding="utf-8")
    with project(tree / "docker", ("compose.cluster.yaml",), images, environment, token=token) as made:
        seconds = made.up()
        publish("cluster_up", f"compose.cluster.yaml up and healthy in {seconds:.1f} s", {"up_s": round(seconds, 1)})
        yield made


def ready(client: httpx.Client) -> None:
    wait_until(lambda: client.get("/readyz").json()["status"] == "ready", "a service that is ready")


def cpus(client: httpx.Client) -> int:
    groups = client.get("/api/v1/system").json()["device_groups"]
    return sum(group["total"] for group in groups if group["kind"] == "cpu")


def test_a_job_runs_on_a_worker_and_outlives_the_containers(up: Project) -> None:
    with up.client() as client:
        ready(client)
        wait_until(lambda: cpus(client) == 1, "the worker in the list of devices")
        run = client.post("/api/v1/benchmarks", json=SMALL)
        assert run.status_code == 202, run.text
        record = ended(client, run.json()["id"])
        assert record["status"] == "succeeded", record
        assert record["place"], record
        before = client.get(f"/api/v1/benchmarks/{record['id']}").json()
        hostname = before["result"]["environment"]["hostname"]
        assert hostname == up.inside("worker", "hostname")

    up.compose("down", "--timeout", "60")
    up.up()

    with up.client() as client:
        ready(client)
        assert client.get(f"/api/v1/benchmarks/{record['id']}").json() == before


def test_nobody_without_the_token_gets_in(up: Project) -> None:
    with up.client() as client:
        assert httpx.get(f"{client.base_url}/api/v1/jobs", trust_env=False).status_code == 401
        assert client.get("/api/v1/jobs").status_code == 200


def test_a_second_worker_is_another_device(up: Project) -> None:
    up.up("--scale", "worker=2", "--no-recreate")
    with up.client() as client:
        wait_until(lambda: cpus(client) == 2, "the second worker")
        runs = [client.post("/api/v1/benchmarks", json=SMALL | {"seed": seed}).json()["id"] for seed in (1, 2)]
        assert [ended(client, run)["status"] for run in runs] == ["succeeded"] * 2
    up.up("--scale", "worker=1", "--no-recreate")


def test_only_backend_and_dashboard_are_published_and_the_rest_leads_nowhere(up: Project) -> None:
    for service in INSIDE:
        assert not up.container(service)["HostConfig"]["PortBindings"], service
    network = docker("network", "inspect", "--format", "{{.Internal}}", f"{up.name}_inside").stdout.strip()
    assert network == "true"
    up.inside("backend", "python", "-c", REACH, "postgres", "5432")
    for service, port in (("postgres", "5432"), ("ray-head", "6379"), ("ray-head", "10001")):
        unreachable = up.compose("exec", "-T", "dashboard", "python", "-c", REACH, service, port, check=False)
        assert unreachable.returncode != 0, service


def test_ray_takes_nobody_without_its_token(up: Project) -> None:
    join = ("python", "/opt/entrypoint.py", "python", "-c", "import ray; ray.init('ray://ray-head:10001'); print('in')")

    assert up.inside("backend", *join).endswith("in")  # with the token of the secret
    wrong = ("--env", "RAY_AUTH_TOKEN=" + "x" * 64)
    refused = up.compose("exec", "-T", *wrong, "backend", *join, check=False)
    assert refused.returncode != 0
    assert "in" not in refused.stdout.split()


@pytest.mark.parametrize("service", [*INSIDE, "backend", "dashboard"])
def test_every_container_runs_without_rights_on_a_root_that_nobody_writes(up: Project, service: str) -> None:
    seen = up.container(service)
    host = seen["HostConfig"]

    assert seen["Config"]["User"] not in ("", "root", "0")
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["PidsLimit"] > 0
    assert (host["NanoCpus"], host["CpuQuota"]) == (0, 0)
    assert host["LogConfig"]["Config"]["max-size"] == "10m"
    status = up.inside(service, "grep", "-E", "^(CapEff|NoNewPrivs|Uid)", "/proc/self/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t0" not in status


def test_no_password_is_seen_from_outside(up: Project, secrets: Path) -> None:
    words = [file.read_text(encoding="utf-8") for file in secrets.iterdir()]
    for service in ("backend", "dashboard", *INSIDE):
        text = str(up.container(service)) + up.compose("logs", service).stdout
        assert not [word for word in words if word in text], service
