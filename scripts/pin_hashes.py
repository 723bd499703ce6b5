"""Write docker/requirements/*.txt: every package that an image installs, pinned with the hashes of all its files.

What: the closure of the extras of pyproject.toml at the versions of constraints.txt, for the Python and the platform of the
images. Run it (``make pins``) when either file has changed; a test says when they are out of step.
Why: an image then holds exactly these files, whatever its index or a mirror serves.

torch is a case of its own. The index has CUDA builds, PyTorch's own indexes and a folder of wheels have others under the same
version. ``torch.txt`` lists every build that an image may hold, and ``torch-cuda.txt`` what CUDA builds alone need. Builds are
added, and trusted from then on, from

* the usual index, always;
* the index that ``TORCH_INDEX_URL`` names. Where its builds need CUDA packages, those replace what ``torch-cuda.txt`` had;
* arguments that name wheel files or hashes: ``scripts/pin_hashes.py wheels/torch-*.whl sha256:…``.

Builds that are listed already stay while the version does. Needs the network; takes seconds.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docker/requirements"
PYTHON, PLATFORM = "3.11", "x86_64-manylinux_2_28"  # of docker/Dockerfile
UV = "uv==0.13.9"
EXTRAS = {"backend": ("library", "backend", "postgres"), "cluster": ("cluster",), "dashboard": ("frontend",)}
"""File -> extras of pyproject.toml, or ``library`` for what every user of the library needs."""
WHAT = {
    "backend": "What the backend image holds beside torch.",
    "cluster": "What the image of a cluster holds beside the packages of the backend image.",
    "dashboard": "What the dashboard image holds.",
    "torch": "Every build of torch that an image may hold; another one is refused.",
    "torch-cuda": "What the CUDA builds of torch need beside what its CPU builds need.",
}

HEAD = """\
# {what}
# Written by scripts/pin_hashes.py (`make pins`) from pyproject.toml and constraints.txt; not to be edited.
"""
Pins = dict[str, tuple[str, list[str]]]
"""Package -> its version and the hashes of its files."""


def read(text: str) -> Pins:
    """The pins of a requirement file: ``name==version`` with its ``--hash`` options, continued over lines."""
    found: Pins = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.split()[0].partition("==")
            found[name] = (version, sorted(re.findall(r"--hash=(sha256:[0-9a-f]{64})", line)))
    return found


def write(name: str, pins: Pins) -> None:
    """Write a requirement file, sorted."""
    lines = [HEAD.format(what=WHAT[name]).rstrip()]
    for package, (version, hashes) in sorted(pins.items()):
        lines.append(" \\\n".join([f"{package}=={version}", *(f"    --hash={each}" for each in sorted(hashes))]))
    (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"docker/requirements/{name}.txt: {len(pins)} packages\n")


def make_uv(folder: Path) -> Path:
    """Install uv into a folder that is thrown away; returns its path."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
    subprocess.run([str(each) for each in command], check=True)
    return folder / "bin/uv"


def resolve(uv: Path, requirements: list[str], *options: str) -> Pins:
    """All that ``requirements`` need, at the versions of constraints.txt, for the images' Python and platform."""
    command: list[str | Path] = [
        uv,
        "pip",
        "compile",
        "-",
        "--quiet",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    command += ["--no-config", "--python-version", PYTHON, "--python-platform", PLATFORM]
    command += ["--constraint", ROOT / "constraints.txt", *options]
    text = "\n".join(requirements)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return read(done.stdout)


def listed(extra: str) -> list[str]:
    """The requirements of one extra, with those of the extras it names in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if extra == "library":
        return list(project["dependencies"])
    found = []
    for requirement in project["optional-dependencies"][extra]:
        own = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
        found += [each for name in own[1].split(",") for each in listed(name.strip())] if own else [requirement]
    return found


def hash_of(argument: str) -> str:
    """``sha256:…`` as it is, or that of the file of this name."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", argument):
        return argument
    return f"sha256:{hashlib.sha256(Path(argument).read_bytes()).hexdigest()}"


def pin_torch(uv: Path, hashes: list[str]) -> set[str]:
    """Write the two files about torch; returns the names of what they pin, which no other file does."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    shared = {line.partition("==")[0].lower().replace("_", "-") for line in lines} - {"triton"}
    (wanted,) = [line for line in lines if line.startswith("torch==")]
    version = wanted.partition("==")[2]
    sources = [resolve(uv, [wanted])]
    if index := os.environ.get("TORCH_INDEX_URL"):
        # A build of that index has a local version and sorts first; what the index lacks comes from the usual one.
        sources.append(resolve(uv, [wanted], "--index", index, "--index-strategy", "unsafe-best-match"))
    cuda: Pins = {}
    for pins in sources:
        hashes = hashes + pins["torch"][1]
        cuda = {name: pin for name, pin in pins.items() if name not in shared} or cuda
    kept = FOLDER / "torch.txt"
    before = read(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if before.get("torch", ("",))[0] == version:
        hashes = hashes + before["torch"][1]
    write("torch", {"torch": (version, list(set(hashes)))})
    write("torch-cuda", cuda)
    return {"torch", *cuda}


def main(arguments: list[str]) -> int:
    """Write all files; what cannot be resolved ends in uv's own words."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        uv = make_uv(Path(folder))
        apart = pin_torch(uv, [hash_of(each) for each in arguments])
        pins = {
            name: resolve(uv, [each for extra in extras for each in listed(extra)]) for name, extras in EXTRAS.items()
        }
    for name in EXTRAS:
        without = apart | (set(pins["backend"]) if name == "cluster" else set())
        write(name, {package: pin for package, pin in pins[name].items() if package not in without})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
