"""The compose files as docker compose itself reads them; nothing is started. tests/containers starts them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def compose(*files: str) -> dict[str, Any]:
    """The merged configuration of compose files, as docker compose itself reads it."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    named = [argument for file in files for argument in ("-f", ROOT / "docker" / file)]
    done = subprocess.run(
        [docker, "compose", *named, "config", "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    configuration: dict[str, Any] = json.loads(done.stdout)
    return configuration


def test_the_base_compose_file_asks_for_no_gpu_and_publishes_on_loopback_only() -> None:
    services = compose("compose.yaml")["services"]

    assert set(services) == {"backend", "dashboard"}
    for service in services.values():
        assert service["init"] is True
        assert service["read_only"] is True
        assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]
        assert "deploy" not in service
    assert services["dashboard"]["depends_on"]["backend"]["condition"] == "service_healthy"


def test_the_gpu_file_adds_the_device_the_compiler_target_and_writable_caches() -> None:
    backend = compose("compose.yaml", "compose.gpu.yaml")["services"]["backend"]

    (device,) = backend["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert backend["build"]["target"] == "backend-gpu"
    writable = [mount.split(":")[0] for mount in backend["tmpfs"]]
    for variable in ("HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        assert any(backend["environment"][variable].startswith(folder) for folder in writable)
