"""Fresh eyes add an implementation: the example of CONTRIBUTING.md, put into a copy of the package as one file."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import dyad_core

REPOSITORY = Path(__file__).parents[3]


def example() -> str:
    """The first code block of the section, as a reader would copy it."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Adding an implementation")[1].split("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in it, all links but for one new file."""
    folder = tmp_path_factory.mktemp("copy")
    source = Path(dyad_core.__file__).parent
    (folder / "dyad_core" / "ops").mkdir(parents=True)
    for part in (Path(), Path("ops")):
        for child in (source / part).iterdir():
            if child.name not in ("ops", "__pycache__"):
                (folder / "dyad_core" / part / child.name).symlink_to(child)
    (folder / "dyad_core" / "ops" / "einsum.py").write_text(example(), encoding="utf-8")
    return folder


def run(copy: Path, script: str, *arguments: str) -> str:
    """Run a script in a fresh process that sees the copy of the package before any other."""
    finished = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_it_is_selectable_by_name(copy: Path) -> None:
    run(
        copy,
        "import torch, dyad_core\n"
        "from dyad_core.ops import einsum, registry\n"
        f"assert einsum.__file__.startswith({str(copy)!r})\n"
        "assert 'einsum' in registry.names()\n"
        "layer = dyad_core.DyadLinear(8, 8, n_blocks=2, variant='dt', implementation='einsum')\n"
        "x = torch.randn(3, 8)\n"
        "torch.testing.assert_close(layer(x), x @ layer.to_dense().T + layer.bias)\n",
    )


def test_the_benchmark_measures_it(copy: Path) -> None:
    request = "bench --in 16 --out 16 --blocks 4 --tokens 4 --implementations einsum --max-seconds 1 --json"
    script = "import sys; from dyad_core.cli import main; sys.exit(main())"
    measured = json.loads(run(copy, script, *shlex.split(request)))
    found = {candidate["implementation"]: candidate["outcome"] for candidate in measured["candidates"]}
    assert found["einsum"] in ("faster", "slower", "not_distinguishable"), found


def test_the_tests_hold_it_against_the_reference(copy: Path) -> None:
    folder = REPOSITORY / "tests" / "dyad_core" / "ops"
    files = [str(folder / name) for name in ("test_implementations.py", "test_transforms.py", "test_error_bound.py")]
    script = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    said = run(
        copy,
        script,
        *files,
        *("-k", "einsum", "-q", "-p", "no:cacheprovider", "-c", str(REPOSITORY / "pyproject.toml")),
        *("--rootdir", str(REPOSITORY)),
    )
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None, said
    assert int(passed.group(1)) >= 25, said


def test_a_wrong_one_is_caught(copy: Path) -> None:
    wrong = copy / "dyad_core" / "ops" / "wrong.py"
    text = (
        example()
        .replace('name="einsum"', 'name="wrong"')
        .replace("output + trans.flatten(1)", "output - trans.flatten(1)")
    )
    wrong.write_text(text, encoding="utf-8")
    try:
        script = "import sys, pytest; sys.exit(0 if pytest.main(sys.argv[1:]) == 1 else 1)"
        file = REPOSITORY / "tests" / "dyad_core" / "ops" / "test_implementations.py"
        where = ("-c", str(REPOSITORY / "pyproject.toml"), "--rootdir", str(REPOSITORY))
        run(copy, script, str(file), "-k", "wrong and float64 and values", "-q", "-p", "no:cacheprovider", *where)
    finally:
        wrong.unlink()
