"""The public surface of ``dyad_core.structure``."""

from __future__ import annotations

import ast
import types
from pathlib import Path

import pytest

import dyad_core.structure as package

SOURCES = sorted(Path(package.__file__).parent.glob("*.py"))


def test_all_names_exist_and_nothing_public_is_missing():
    public = {
        name for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }  # fmt: skip
    assert public == set(package.__all__)
    assert package.__all__ == sorted(package.__all__, key=lambda name: (not name[0].isupper(), name))


def test_answers_are_functions_and_not_modules_of_that_name():
    for name in ("pattern", "connectivity", "reachability", "formula"):
        assert isinstance(getattr(package, name), types.FunctionType)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_nothing_imports_more_than_numpy(source: Path):
    imported = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    foreign = imported & {"torch", "typer", "rich", "pandas", "scipy", "plotly"}
    assert foreign == set()
