"""The compose files as docker compose itself reads them; nothing is started. tests/containers starts them."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def compose(*files: str, profile: str = "") -> dict[str, Any]:
    """The merged configuration of compose files, as docker compose itself reads it."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    named = [argument for file in files for argument in ("-f", ROOT / "docker" / file)]
    done = subprocess.run(
        [docker, "compose", *named, "--profile", profile, "config", "--format", "json"],
        env={name: value for name, value in os.environ.items() if not name.startswith("DYAD_")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    configuration: dict[str, Any] = json.loads(done.stdout)
    return configuration


@pytest.mark.parametrize(
    "files", [("compose.yaml",), ("compose.yaml", "compose.gpu.yaml"), ("compose.cluster.yaml",)], ids="+".join
)
def test_every_service_has_no_rights_a_root_that_nobody_writes_and_limits(files: tuple[str, ...]) -> None:
    for name, service in compose(*files, profile="observe")["services"].items():
        assert service["init"] is True, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] == service["memswap_limit"] != "0", name
        assert service["pids_limit"] > 0, name
        assert not {"cpus", "cpu_quota", "cpu_period", "privileged", "network_mode"} & set(service), name
        assert service["logging"]["options"]["max-size"] == "10m", name
        assert all("size=" in mount for mount in service["tmpfs"]), name
        assert [port["host_ip"] for port in service.get("ports", [])] in ([], ["127.0.0.1"]), name
        assert service["stop_grace_period"] in ("30s", "1m0s"), name


def test_the_cluster_publishes_backend_and_dashboard_and_keeps_its_passwords_in_files() -> None:
    found = compose("compose.cluster.yaml")
    services = found["services"]

    assert set(services) == {"backend", "dashboard", "postgres", "ray-head", "worker"}
    assert {name for name, service in services.items() if "ports" in service} == {"backend", "dashboard"}
    assert found["networks"]["inside"]["internal"] is True
    assert {name for name, service in services.items() if "front" in service["networks"]} == {"backend", "dashboard"}
    assert services["postgres"]["image"] == "postgres:17-bookworm"
    assert {services[name]["image"] for name in ("backend", "ray-head", "worker")} == {"dyad-explorer-cluster"}
    assert services["backend"]["environment"]["DYAD_EXECUTOR"] == "ray"
    for name, service in services.items():
        for variable, value in service["environment"].items():
            secret = "PASSWORD" in variable or ("TOKEN" in variable and variable != "RAY_AUTH_MODE")
            assert not secret or value in ("", "/run/secrets/postgres_password"), (name, variable)
    assert all(Path(each["file"]).is_absolute() for each in found["secrets"].values())


def test_prometheus_and_grafana_come_with_a_profile_of_their_own() -> None:
    services = compose("compose.cluster.yaml", profile="observe")["services"]

    assert {"prometheus", "grafana"} <= set(services)
    assert "ports" not in services["prometheus"]
    assert all(
        mount.get("read_only")
        for name in ("prometheus", "grafana")
        for mount in services[name]["volumes"]
        if mount["type"] == "bind"
    )


def test_the_base_compose_file_asks_for_no_gpu() -> None:
    services = compose("compose.yaml")["services"]

    assert set(services) == {"backend", "dashboard"}
    assert not any("deploy" in service for service in services.values())
    assert services["dashboard"]["depends_on"]["backend"]["condition"] == "service_healthy"


def test_the_gpu_file_adds_the_device_the_compiler_target_and_writable_caches() -> None:
    backend = compose("compose.yaml", "compose.gpu.yaml")["services"]["backend"]

    (device,) = backend["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert backend["build"]["target"] == "backend-gpu"
    writable = [mount.split(":")[0] for mount in backend["tmpfs"]]
    for variable in ("HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        assert any(backend["environment"][variable].startswith(folder) for folder in writable)
