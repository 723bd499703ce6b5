"""Install what an image needs, exactly as docker/requirements/ pins it. Runs inside an image build only (docker/Dockerfile).

What: `python3 docker/install.py torch` installs torch, `project` the project itself in place (so that there is a `dyad` command);
any other argument names a file of docker/requirements/. Every file that pip takes must have one of the listed hashes, no package
is built, nothing that is not listed comes along, and `pip check` says at the end whether anything is missing.
Why: the images copy the source beside the packages, so the packages are a layer of their own that a change of code leaves
alone; and what is in them does not depend on what an index serves that day.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
CA_BUNDLE = Path("/run/secrets/ca")  # optional build secret
WHEELS = Path("/wheels")  # optional wheel files, mounted for the build
PROJECT = Path("/app")
TARGET = Path("/opt/venv/bin/python")  # the image's environment; it has no pip of its own

HELP = """
If pip says above that hashes do not match: this build of torch is not one of those that docker/requirements/torch.txt lists.
List it, if you trust where it comes from: `TORCH_INDEX_URL=<its index> make pins`, or leave TORCH_INDEX_URL and wheels/ empty.
"""


def pip(*arguments: str) -> int:
    """Run pip on the image's environment; returns its exit status."""
    environment = dict(os.environ)
    if CA_BUNDLE.is_file() and CA_BUNDLE.stat().st_size:
        environment["PIP_CERT"] = str(CA_BUNDLE)
    command = [sys.executable, "-m", "pip", "--python", str(TARGET), "--disable-pip-version-check", "--no-input"]
    return subprocess.run([*command, *arguments], env=environment, check=False).returncode


def install(name: str, *options: str) -> int:
    """Install one file of docker/requirements/; returns pip's exit status."""
    fixed = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--progress-bar=off"]
    return pip("install", *fixed, *options, "--requirement", str(REQUIREMENTS / f"{name}.txt"))


def wants_cuda() -> bool:
    """Whether the torch that is installed asks for a package of torch-cuda.txt, as its CUDA builds do."""
    code = "import importlib.metadata, json; print(json.dumps(importlib.metadata.requires('torch')))"
    asked = json.loads(subprocess.run([TARGET, "-c", code], check=True, capture_output=True, text=True).stdout)
    pinned = re.findall(r"^([\w.-]+)==", (REQUIREMENTS / "torch-cuda.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return any(re.split(r"[^\w.-]", requirement)[0].lower() in pinned for requirement in asked)


def install_torch() -> int:
    """Install torch, from the wheel folder, the index of TORCH_INDEX_URL or the usual one, and what its build needs."""
    index = os.environ.get("TORCH_INDEX_URL")
    if any(WHEELS.glob("torch-*.whl")):  # alone: beside an index pip would prefer a file whose hash it knows beforehand
        source = ["--no-index", "--find-links", str(WHEELS)]
    else:
        source = ["--index-url", index] if index else []
    if status := install("torch", *source):
        sys.stderr.write(HELP)
        return status
    return install("torch-cuda") if wants_cuda() else 0


def install_project() -> int:
    """Register the source in /app: the command `dyad` and its entry points. Built by the pinned setuptools, without an index."""
    options = [
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--no-cache-dir",
        "--config-settings",
        "editable_mode=compat",
    ]
    return pip("install", *options, "--editable", str(PROJECT))


def main(names: list[str]) -> int:
    """Install `names` in order; stops at the first failure and returns its exit status."""
    for name in names:
        special = {"torch": install_torch, "project": install_project}.get(name)
        if status := special() if special else install(name):
            return status
    return 0 if names == ["torch"] else pip("check")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
