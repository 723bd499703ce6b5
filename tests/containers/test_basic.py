"""docker/compose.yaml for real: brought up, used through its published ports, looked at from inside, taken down and up again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from containers.engine import Project, docker, project
from model_tools import TINY
from service_tools import SMALL, ended
from soak.reports import publish

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

LOOK = """
import json, os, pathlib, resource
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
def writable(folder):
    try:
        (pathlib.Path(folder) / ".try").write_text("x")
        (pathlib.Path(folder) / ".try").unlink()
        return True
    except OSError:
        return False
print(json.dumps({
    "user": os.getuid(),
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "writable": [folder for folder in ("/", "/app", "/opt/venv", "/etc", "/usr/local", "/tmp", "/data") if writable(folder)],
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
}))
"""


@pytest.fixture(scope="module")
def up(tree: Path, image: Callable[[str], str]) -> Iterator[Project]:
    images = {"backend": image("backend"), "dashboard": image("dashboard")}
    with project(tree / "docker", ("compose.yaml",), images, {"DYAD_BACKEND_MEMORY": "3g"}) as made:
        seconds = made.up()
        publish("compose_up", f"compose.yaml up and healthy in {seconds:.1f} s", {"up_s": round(seconds, 1)})
        yield made


def test_a_job_runs_through_the_published_port_and_outlives_the_containers(up: Project) -> None:
    with up.client() as client:
        run = client.post("/api/v1/benchmarks", json=SMALL)
        assert run.status_code == 202, run.text
        record = ended(client, run.json()["id"])
        assert record["status"] == "succeeded", record
        before = client.get(f"/api/v1/benchmarks/{record['id']}").json()

    up.compose("down", "--timeout", "30")
    up.up()

    with up.client() as client:
        assert client.get(f"/api/v1/benchmarks/{record['id']}").json() == before


def test_whole_models_are_estimated_and_measured_under_a_root_that_nobody_writes(up: Project) -> None:
    with up.client() as client:
        presets = client.get("/api/v1/models/presets")
        assert presets.status_code == 200, presets.text
        estimate = client.post("/api/v1/models/estimate", json={"config": "opt-125m", "n_blocks": [4]})
        assert estimate.status_code == 200, estimate.text
        assert estimate.json()["dense"]["parameters"] == 125_239_296
        job = client.post("/api/v1/models/measurements", json=TINY)
        assert job.status_code == 202, job.text
        record = ended(client, job.json()["id"])
        assert record["status"] == "succeeded", record


def test_the_dashboard_answers_and_reaches_the_service(up: Project) -> None:
    port = up.environment["DYAD_DASHBOARD_PORT"]
    assert httpx.get(f"http://127.0.0.1:{port}/_stcore/health", trust_env=False).text == "ok"
    ask = "import httpx; from frontend.settings import api_url; print(httpx.get(api_url() + '/api/v1/system').status_code)"
    assert up.inside("dashboard", "python", "-c", ask) == "200"


@pytest.mark.parametrize(("service", "writable"), [("backend", ["/tmp", "/data"]), ("dashboard", ["/tmp"])])
def test_a_container_has_no_rights_and_writes_nowhere_else(up: Project, service: str, writable: list[str]) -> None:
    import json

    seen = json.loads(up.inside(service, "python", "-c", LOOK))

    assert seen["user"] == 10001
    assert seen["capabilities"] == 0
    assert seen["no_new_privileges"] == "1"
    assert seen["writable"] == writable
    assert (seen["core"], seen["files"]) == (0, 16384)


@pytest.mark.parametrize("service", ["backend", "dashboard"])
def test_the_engine_limits_memory_processes_and_logs(up: Project, service: str) -> None:
    host = up.container(service)["HostConfig"]

    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "5", "max-size": "10m"}}
    assert host["Init"] is True
    assert (host["NanoCpus"], host["CpuQuota"]) == (0, 0)  # a quota would falsify measurements
    published = [binding for bindings in host["PortBindings"].values() for binding in bindings]
    assert [binding["HostIp"] for binding in published] == ["127.0.0.1"]


@pytest.mark.parametrize("target", ["backend", "dashboard", "cluster"])
def test_an_image_holds_no_cache_no_secret_and_no_certificate_of_the_build(
    image: Callable[[str], str], target: str
) -> None:
    look = (
        "find / -xdev \\( -path /proc -o -path /sys \\) -prune -o "
        "\\( -name '*.whl' -o -path '*/.cache/*' -o -path '/run/secrets/*' -o -path '/wheels*' -o -path '/build/*' "
        "-o -path '*/docker/secrets*' -o -name '.git' -o -name 'pip.conf' -o -path '/opt/venv/*/pip/*' \\) -type f -print"
    )
    options = ("--rm", "--user", "root", "--network", "none", "--entrypoint", "sh")

    found = docker("run", *options, image(target), "-c", look).stdout.split()

    assert [name for name in found if "ensurepip" not in name and "python-wheels" not in name] == []
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image(target)).stdout
    assert "BEGIN CERTIFICATE" not in history
    environment = docker("image", "inspect", "--format", "{{json .Config.Env}}", image(target)).stdout
    for word in ("TOKEN", "PASSWORD", "CERT", "INDEX_URL"):
        assert word not in environment


def test_a_stop_is_heeded_at_once(up: Project) -> None:
    identity = up.container("backend")["Id"]

    up.compose("stop", "backend")

    state = docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", identity).stdout.strip()
    assert state in ("0 false", "143 false"), state
    up.up()
