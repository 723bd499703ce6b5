"""What leaves the repository: the pinned environment and the wheel. Container images: test_images.py and test_compose.py."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

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
