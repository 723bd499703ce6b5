"""Write the annotated tree of the README anew: one line per file, the first sentence of its docstring.

Run ``python scripts/readme_tree.py`` after adding, renaming or removing a file; a test tells when it is needed.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START, END = "## Where things are\n\n```text\n", "\n```\n\nImports go one way"

FOLDERS = {
    "dyad_core/": "the library: torch and numpy only",
    "dyad_core/bench/": "measurement",
    "dyad_core/bench/reference_runs/": "bundled results of named machines",
    "dyad_core/cli/": "the dyad command",
    "dyad_core/layers/": "thin nn.Modules over ops",
    "dyad_core/models/": "whole models with DYAD in them",
    "dyad_core/models/cost/": "parameters, FLOPs and bytes by arithmetic, and the step foretold",
    "dyad_core/models/measuring/": "the real step of a model, dense beside DYAD",
    "dyad_core/models/persistence/": "saving and loading through transformers' registry of quantizers",
    "dyad_core/ops/": "pure tensor functions, one file per implementation",
    "dyad_core/ops/_triton/": "the kernels of the Triton implementation and how they are tuned",
    "dyad_core/ops/choices/": "measured tables that auto reads, one per kind of device",
    "dyad_core/published/": "the original authors' figures",
    "dyad_core/published/data/": "their JSON files",
    "dyad_core/structure/": "exact answers about what a layer and a chain connect",
    "dyad_core/surgery/": "DYAD layers into existing models",
    "dyad_core/sweep/": "from which sizes on it pays: adaptive sweeps, contours, rules in words",
    "dyad_core/sweep/reference_maps/": "bundled maps of named machines",
    "dyad_core/verdict/": "one decision record per geometry and conditions",
    "dyad_core/weights/": "weights that exist: load, project, compare",
    "backend/": "the service: FastAPI",
    "backend/executors/": "where jobs run: this machine, or a Ray cluster",
    "backend/jobs/": "the life of jobs: states, order, scheduler, rules, kinds",
    "backend/jobs/kinds/": "one file per kind of job",
    "backend/observing/": "logs, metrics, readiness",
    "backend/projecting/": "the process that projects an uploaded weight",
    "backend/routes/": "one file per noun of the REST interface",
    "backend/security/": "tokens, limits, hosts, origins, headers",
    "backend/store/": "SQLite or PostgreSQL through SQLAlchemy",
    "backend/store/migrations/": "Alembic migrations",
    "frontend/": "the dashboard: Streamlit over REST",
    "frontend/figures/": "rows in, Plotly figure out",
    "frontend/logic/": "words, requests and rows, without Streamlit",
    "frontend/sections/": "the widgets of the pages",
    "frontend/views/": "one thin file per page (a folder called pages would make Streamlit navigate by itself)",
    "tests/": "the same stems as the source; tests/e2e drives a real Chromium",
    "docs/": "pictures, the script that takes them, and notes",
    "docker/": "images and compose files",
    "scripts/": "helpers of the Makefile, and this tree",
    "wheels/": "wheel files that image builds look at first; empty",
}
CLOSED = (
    "backend/store/migrations/",
    "backend/jobs/kinds/",
    "dyad_core/bench/reference_runs/",
    "dyad_core/published/data/",
    "dyad_core/sweep/reference_maps/",
)
OPEN = ("dyad_core/", "backend/", "frontend/")
SINGLE = {
    "frontend/icon.svg": "the icon of the dashboard",
    "CHANGELOG.md": "what changed, by version",
    "CONTRIBUTING.md": "the loop, house rules, containers",
    "LICENSE": "Apache-2.0",
    "Makefile": "every command",
    "README.md": "this page",
    "constraints.txt": "every version, pinned",
    "pyproject.toml": "package, extras, tools",
}
UNNAMED = ("__init__.py", "py.typed")


def tracked() -> list[str]:
    """Files of the repository, new ones too, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({name for name in listed.stdout.splitlines() if (ROOT / name).is_file()})


def sentence(name: str) -> str:
    """What a file is: the first sentence of its docstring, without markup."""
    if name in SINGLE:
        return SINGLE[name]
    if not name.endswith(".py"):
        sys.exit(f"{name} has no docstring; say in scripts/readme_tree.py what it is.")
    text = (ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    text = text.replace("\n", " ")
    if len(text) > 110:
        text = re.split(r"(?<=[.?!])\s|(?<=\w):\s(?=[a-z])", text)[0]
    text = re.sub(r":\w+:`~?([\w.]+)`", lambda match: match[1].split(".")[-1], text)
    return text.replace("``", "").rstrip(".")


def lines_of(folder: str, depth: int, files: list[str]) -> list[tuple[str, str]]:
    """The lines of a folder: itself, its files, its folders."""
    if folder not in FOLDERS:
        sys.exit(f"{folder} is new; say in scripts/readme_tree.py what it holds.")
    found = [("  " * depth + folder.rstrip("/").split("/")[-1] + "/", FOLDERS[folder])]
    if not folder.startswith(OPEN) or folder in CLOSED:
        return found
    inside = [name.removeprefix(folder) for name in files if name.startswith(folder)]
    for name in sorted(name for name in inside if "/" not in name and name not in UNNAMED):
        if not name.endswith(".json"):
            found.append(("  " * (depth + 1) + name, sentence(folder + name)))
    for name in sorted({name.split("/")[0] + "/" for name in inside if "/" in name and not name.startswith(".")}):
        found += lines_of(folder + name, depth + 1, files)
    return found


def main() -> None:
    """Rewrite the tree inside README.md."""
    files = tracked()
    tops = {name.split("/")[0] + "/" for name in files if "/" in name and not name.startswith(".")}
    found = [line for folder in FOLDERS if folder in tops for line in lines_of(folder, 0, files)]
    found += [(name, sentence(name)) for name in files if "/" not in name and name in SINGLE]
    width = max(len(name) for name, _ in found) + 2
    tree = "\n".join(f"{name:<{width}}{text}" for name, text in found)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(START)
    readme.write_text(before + START + tree + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
