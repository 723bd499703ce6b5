"""Who may import whom: frontend -> HTTP -> backend -> dyad_core, and what stays out of each part (read from the source)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def imports(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (file, imported dotted name) for every import statement below a folder, those inside functions too."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} has a relative import: write it in full"
                yield from ((name, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("dyad_core", {"backend", "frontend"}),
        ("backend", {"frontend", "streamlit", "plotly"}),
        # The dashboard speaks HTTP only, and so runs where there is no torch.
        ("frontend", {"backend", "dyad_core", "torch"}),
        ("frontend/figures", {"streamlit", "httpx"}),
        ("dyad_core/structure", {"plotly", "fastapi", "streamlit"}),
    ],
)
def test_a_part_does_not_import_what_it_must_not_know(folder: str, forbidden: set[str]) -> None:
    seen = list(imports(folder))

    assert seen, f"{folder} has no imports: is it still there?"
    assert [(file, name) for file, name in seen if name.split(".")[0] in forbidden] == []


def test_ops_are_functions_of_tensors_and_know_no_module() -> None:
    allowed = "torch.nn.functional"
    seen = [(file, name) for file, name in imports("dyad_core/ops") if name.startswith("torch.nn")]

    assert [(file, name) for file, name in seen if not name.startswith(allowed)] == []


def requirements_of(*roots: str) -> set[str]:
    """Distributions that installing `roots` brings, themselves included, as installed here."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in roots]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return found


LEAN_IMPORT = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # None: to Python they are not installed
import dyad_core
apart = ("dyad_core.cli", "dyad_core.models", "dyad_core.training")
apart += ("dyad_core.ops._triton.kernel", "dyad_core.ops._triton.launch")  # imported when a kernel is launched
modules = [m.name for m in pkgutil.walk_packages(dyad_core.__path__, "dyad_core.") if not m.name.startswith(apart)]
for name in modules:
    if not name.endswith("__main__"):
        importlib.import_module(name)
import torch
assert not torch.cuda.is_initialized(), "importing dyad_core started CUDA"
print(len(modules))
"""


def test_the_library_imports_with_torch_and_numpy_alone_and_leaves_cuda_untouched() -> None:
    lean = requirements_of("torch", "numpy")
    blocked = {
        module
        for module, distributions in metadata.packages_distributions().items()
        if not any(canonicalize_name(name) in lean for name in distributions)
        and module not in {"dyad_core", "backend", "frontend", "_distutils_hack"}
    }
    assert {"pydantic", "typer", "fastapi", "streamlit", "pandas", "psutil"} <= blocked

    done = subprocess.run(
        [sys.executable, "-c", LEAN_IMPORT, ",".join(sorted(blocked))],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
