"""What leaves the repository: the pinned environment, the wheel and the container images."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, str]:
    """Package -> version of constraints.txt; fails on a line that does not pin exactly."""
    found = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
            assert match, f"constraints.txt does not pin exactly: {line}"
            found[canonicalize_name(match[1])] = match[2]
    return found


def declared() -> list[Requirement]:
    """Every requirement pyproject.toml states, the build's and the extras' too, without the project's own extras."""
    project = PROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    lines = [*PROJECT["build-system"]["requires"], *project["dependencies"], *extras]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != project["name"]]


def test_every_declared_requirement_has_an_exact_pin_in_its_range() -> None:
    pinned = pins()

    for requirement in declared():
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"constraints.txt has no pin for {requirement}"
        assert requirement.specifier.contains(version), f"constraints.txt pins {version} against {requirement}"


def test_the_wheel_ships_the_library_alone_with_its_data(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for package in ("dyad_core", "backend", "frontend"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))

    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, source],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    on_disk = {path.relative_to(source).as_posix() for path in (source / "dyad_core").rglob("*") if path.is_file()}
    assert "dyad_core/py.typed" in shipped
    assert shipped == on_disk


def installer() -> ModuleType:
    """docker/install.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("docker_install", ROOT / "docker/install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_dashboard_image_needs_no_torch_and_the_backend_image_has_its_command_line() -> None:
    requirements = installer().requirements

    def names(extra: str) -> set[str]:
        return {Requirement(line).name for line in requirements(extra)}

    assert "torch" not in names("frontend")
    assert {"fastapi", "typer"} <= names("backend")
    assert names("library") == {"torch", "numpy"}


def test_images_build_from_one_public_base_and_pull_no_build_frontend() -> None:
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, flags=re.MULTILINE)
    names = {stage for _, stage in stages}

    assert {base for base, _ in stages if base not in names} == {"python:3.11-slim-bookworm"}
    assert "syntax=" not in text


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
