"""Images of this checkout, each built once; every test of this folder skips with a reason where no Docker engine answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from containers.engine import PREFIX, build, copy_source, docker, engine_problem, image_mb
from soak.reports import publish


@pytest.fixture(scope="session")
def engine() -> None:
    if problem := engine_problem():
        pytest.skip(problem)


@pytest.fixture(scope="session")
def tree(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout."""
    return copy_source(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="session")
def image(tree: Path) -> Callable[[str], str]:
    """Name of the image of a target of the Dockerfile."""
    built: dict[str, str] = {}

    def named(target: str) -> str:
        if target not in built:
            tag = f"{PREFIX}-{target}"
            seconds = build(tree, target, tag)
            figures = {"build_s": round(seconds, 1), "size_mb": round(image_mb(tag))}
            publish(f"image_{target}", f"image {target}: built in {seconds:.0f} s, {figures['size_mb']} MB", figures)
            built[target] = tag
        return built[target]

    return named


@pytest.fixture(scope="session")
def postgres(engine: None) -> str:
    """The stand-in for the official image of PostgreSQL."""
    tag = f"{PREFIX}-postgres"
    docker("build", "--quiet", "--tag", tag, Path(__file__).parent / "postgres")
    return tag
