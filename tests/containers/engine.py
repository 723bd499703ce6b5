"""A real Docker engine for tests: images from a copy of this checkout, projects of their own that are removed at the end."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from backend.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
LOCAL_DOCKER = ROOT.parent / "shared/tools/local-docker"
CA_BUNDLE = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
PREFIX = "dyad-test"


def docker(*arguments: str | Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the docker command line; what it says on failure is in the error."""
    command = ["docker", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def engine_problem() -> str:
    """Why there is no engine to test with; empty when there is. Starts one where the machine has a way of its own."""
    if shutil.which("docker") is None and not LOCAL_DOCKER.exists():
        return "docker is not installed"
    if LOCAL_DOCKER.exists():
        done = subprocess.run([LOCAL_DOCKER, "up"], capture_output=True, text=True, check=False)
    else:
        done = docker("info", check=False)
    lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
    return f"no Docker engine answers: {lines[-1]}" if done.returncode else ""


def copy_source(target: Path, revision: str | None = None) -> Path:
    """Copy what git knows of this checkout, or of a revision, with the torch wheels of this machine; returns ``target``."""
    target.mkdir(parents=True)
    if revision is None:
        listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in filter(None, listed):
            if (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target / name)
    else:
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", target], input=archive, check=True)
    for wheel in [*(ROOT / "wheels").glob("torch-*.whl"), *_wheels_of_pip()]:
        with contextlib.suppress(FileExistsError):
            os.link(wheel, target / "wheels" / wheel.name) if _same_disk(wheel, target) else shutil.copy(
                wheel, target / "wheels" / wheel.name
            )
    return target


def git(*arguments: str) -> str:
    """What git says about this checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _wheels_of_pip() -> list[Path]:
    """Wheels in the folders that pip is set up to look into: a CPU torch where the index has none."""
    done = subprocess.run(["pip", "config", "get", "global.find-links"], capture_output=True, text=True, check=False)
    return [wheel for folder in done.stdout.split() for wheel in Path(folder).glob("torch-*.whl")]


def build(tree: Path, target: str, tag: str) -> float:
    """Build one image of a source tree; returns the seconds it took."""
    started = time.monotonic()
    docker(
        *("build", "--quiet", "--file", tree / "docker/Dockerfile", "--target", target, "--tag", tag),
        *("--build-arg", f"TORCH_INDEX_URL={os.environ.get('TORCH_INDEX_URL', '')}"),
        *("--secret", f"id=ca,src={CA_BUNDLE}", tree),
    )
    return time.monotonic() - started


def image_mb(tag: str) -> float:
    """Size of an image in MB (10^6 bytes)."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", tag).stdout) / 1e6


@dataclass
class Project:
    """One compose project under a name of its own, on free ports of the loopback address.

    Attributes:
        folder: with the compose files.
        files: their names.
        images: service -> image, in place of the names in the files.
        environment: variables for the files.
    """

    folder: Path
    files: tuple[str, ...]
    images: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"{PREFIX}-{uuid.uuid4().hex[:8]}")
    token: str = ""

    def __post_init__(self) -> None:
        """Choose ports, and write the file that names the images."""
        for variable in ("DYAD_PORT", "DYAD_DASHBOARD_PORT"):
            self.environment.setdefault(variable, str(free_port("127.0.0.1")))
        services = {service: {"image": image, "build": None} for service, image in self.images.items()}
        text = json.dumps({"services": services}).replace('"build": null', '"build": !reset null')
        (self.folder / "images.yaml").write_text(text, encoding="utf-8")

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker compose on this project."""
        named = [part for file in (*self.files, "images.yaml") for part in ("-f", str(self.folder / file))]
        return docker("compose", "-p", self.name, *named, *arguments, check=check, **self.environment)

    def up(self, *arguments: str) -> float:
        """Start it, and return the seconds until every service was healthy."""
        started = time.monotonic()
        done = self.compose("up", "--no-build", "--detach", "--wait", "--wait-timeout", "180", *arguments, check=False)
        logs = "" if done.returncode == 0 else self.compose("logs", "--tail", "40").stdout
        assert done.returncode == 0, f"{done.stderr}\n{logs}"
        return time.monotonic() - started

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a service's container, as its user; what it prints."""
        return self.compose("exec", "-T", service, *command, check=check).stdout.strip()

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        (identity,) = self.compose("ps", "--quiet", service).stdout.split()
        found: dict[str, Any] = json.loads(docker("inspect", identity).stdout)[0]
        return found

    def client(self) -> httpx.Client:
        """A client of the published port."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        address = f"http://127.0.0.1:{self.environment['DYAD_PORT']}"
        return httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=60.0)


@contextlib.contextmanager
def project(*args: Any, **options: Any) -> Iterator[Project]:
    """A project that is removed at the end, with its volumes."""
    made = Project(*args, **options)
    try:
        yield made
    finally:
        made.compose("--profile", "*", "down", "--volumes", "--timeout", "30", check=False)
