"""A build takes the files that are listed with their hash and no others."""

import zipfile
from pathlib import Path

import pytest
from containers.engine import PREFIX, copy_source, docker

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_a_build_of_torch_that_is_not_listed_is_refused(engine: None, tmp_path: Path) -> None:
    tree = copy_source(tmp_path / "tree")
    for wheel in (tree / "wheels").glob("torch-*.whl"):
        wheel.unlink()
    lines = (tree / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (version,) = [f"{line.removeprefix('torch==')}+cpu" for line in lines if line.startswith("torch==")]
    forged = tree / f"wheels/torch-{version}-py3-none-any.whl"
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("torch/__init__.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")

    done = docker(
        *("build", "--progress", "plain", "--file", tree / "docker/Dockerfile", "--target", "backend"),
        *("--tag", f"{PREFIX}-forged", tree),
        check=False,
    )

    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "DO NOT MATCH THE HASHES" in said
    assert "is not one of those that docker/requirements/torch.txt lists" in said
