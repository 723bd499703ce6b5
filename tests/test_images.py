"""What container images are made of: one public base, and packages that are pinned with the hash of every file."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docker/requirements"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMAGE = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux", "platform_machine": "x86_64",
         "platform_system": "Linux", "os_name": "posix", "implementation_name": "cpython",
         "platform_python_implementation": "CPython"}  # fmt: skip
MEND = "run `make pins`"


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines if "==" in line}


def pinned(name: str) -> dict[str, str]:
    """Package -> version of one requirement file; fails on a line that is neither a comment nor a pin with its hashes."""
    found = {}
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r"([a-z0-9.-]+)==([A-Za-z0-9.]+)( +--hash=sha256:[0-9a-f]{64})+", line)
            assert match, f"docker/requirements/{name}.txt has a line that is no pin with hashes: {line}"
            found[canonicalize_name(match[1])] = match[2]
    return found


def asked_by(requirement: Requirement) -> Iterator[Requirement]:
    """What a requirement and its extras bring along on the images' platform, as its installed package says."""
    for text in importlib.metadata.requires(requirement.name) or []:
        child = Requirement(text)
        environments = [IMAGE | {"extra": extra} for extra in ("", *requirement.extras)]
        if child.marker is None or any(child.marker.evaluate(each) for each in environments):
            yield child


def needed(*extras: str) -> set[str]:
    """Every package that these extras need, the packages of CUDA builds of torch left out."""
    lists = PROJECT["optional-dependencies"] | {"library": PROJECT["dependencies"]}
    waiting = [Requirement(line) for extra in extras for line in lists[extra]]
    seen: set[str] = set()
    names: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name == PROJECT["name"]:
            waiting += [Requirement(line) for extra in requirement.extras for line in lists[extra]]
        elif str(requirement) not in seen and name in constraints() and name != "triton":
            seen.add(str(requirement))
            names.add(str(name))
            waiting += asked_by(requirement)
    return names


@pytest.mark.parametrize("name", ["backend", "cluster", "dashboard", "torch", "torch-cuda"])
def test_every_package_of_an_image_has_hashes_and_the_version_of_constraints(name: str) -> None:
    versions = constraints()

    for package, version in pinned(name).items():
        known = versions.get(package)
        assert known in (version, None), f"{name}.txt has {package} {version}, constraints.txt {known}: {MEND}"
        assert known is not None or name == "torch-cuda", f"constraints.txt has no pin for {package} of {name}.txt"


def test_an_image_holds_what_its_extras_need_and_nothing_else() -> None:
    backend = needed("library", "backend", "postgres")

    assert set(pinned("backend")) == backend - {"torch"}, MEND
    assert set(pinned("cluster")) == needed("cluster") - backend, MEND
    assert set(pinned("dashboard")) == needed("frontend"), MEND
    assert "torch" not in pinned("dashboard")
    assert {"fastapi", "typer", "psycopg-binary"} <= set(pinned("backend"))


def test_no_file_of_pins_names_an_index_or_a_path() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"://|--index|--extra|--find-links|--trusted| @ |^/", text, re.MULTILINE), file.name


def test_pip_is_told_to_take_listed_files_only() -> None:
    text = (ROOT / "docker/install.py").read_text(encoding="utf-8")

    for option in ("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-cache-dir"):
        assert option in text


def test_images_build_from_one_public_base_and_pull_no_build_frontend() -> None:
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, flags=re.MULTILINE)
    names = {stage for _, stage in stages}

    assert {base for base, _ in stages if base not in names} == {"python:3.11-slim-bookworm"}
    assert "syntax=" not in text


def test_every_image_ends_as_a_user_without_rights() -> None:
    stages = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[1:]
    images = {stage.split()[2]: stage for stage in stages if stage.split()[2] not in ("base", "service")}

    assert set(images) == {"backend", "backend-gpu", "cluster", "dashboard"}
    for name, stage in images.items():
        assert re.findall(r"^USER (\S+)$", stage, flags=re.MULTILINE)[-1] == "dyad", name
