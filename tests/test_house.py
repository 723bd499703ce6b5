"""The house rules that no linter knows: exports, the README's tree, the documented commands, nothing of one machine."""

import importlib
import os
import re
import subprocess
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = sorted(
    ".".join(init.parent.relative_to(ROOT).parts)
    for package in ("dyad_core", "backend", "frontend")
    for init in (ROOT / package).rglob("__init__.py")
)


def repository_files() -> list[str]:
    """Paths of everything git tracks or would track, relative to the root, in the working tree's present state."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()})


@pytest.mark.parametrize("name", PACKAGES)
def test_all_names_exactly_what_a_package_exports(name: str) -> None:
    module = importlib.import_module(name)
    public = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and not isinstance(value, ModuleType) and type(value).__module__ != "__future__"
    }
    declared = list(getattr(module, "__all__", []))

    assert len(declared) == len(set(declared)), "a name stands in __all__ twice"
    assert [key for key in declared if not hasattr(module, key)] == [], "__all__ names what is not there"
    assert sorted(public - set(declared)) == [], "a public name is missing in __all__"


def readme_tree(text: str) -> dict[str, str]:
    """Path -> comment of each line of README's annotated tree: the fenced block with a line that starts with dyad_core/.

    Nesting is read from the column a name starts in; folders end in a slash.
    """
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    tree = next((block for block in blocks if re.search(r"^[\s│├└─]*dyad_core/", block, flags=re.MULTILINE)), "")
    entries: dict[str, str] = {}
    folders: list[tuple[int, str]] = []
    for line in tree.splitlines():
        match = re.match(r"([\s│├└─]*)(\S+)\s*(.*)", line)
        if not match:
            continue
        column, name, comment = len(match[1]), match[2], match[3]
        folders = [folder for folder in folders if folder[0] < column]
        path = "".join(folder for _, folder in folders) + name
        entries[path] = comment
        if name.endswith("/"):
            folders.append((column, name))
    return entries


def unlisted(files: list[str], tree: dict[str, str]) -> list[str]:
    """Files the tree leaves out. A folder listed without children stands for all it holds; one with children lists each."""
    with_children = {str(parent) + "/" for path in tree for parent in PurePosixPath(path).parents}

    def covered(name: str) -> bool:
        if name in tree:
            return True
        parents = [f"{parent}/" for parent in PurePosixPath(name).parents if str(parent) != "."]
        nearest = next((parent for parent in parents if parent in tree), None)
        return nearest is not None and nearest not in with_children

    def needs_a_line(name: str) -> bool:
        last = PurePosixPath(name).name
        return last not in {"__init__.py", "py.typed"} and not any(
            part.startswith(".") for part in PurePosixPath(name).parts
        )

    return [name for name in files if needs_a_line(name) and not covered(name)]


def test_the_tree_reader_reads_both_ways_of_drawing_and_sees_what_is_left_out() -> None:
    drawn = "```text\ndyad_core/   library\n├── a.py   one\n└── ops/   two\n    └── b.py   three\ntests/  four\n```\n"
    indented = "```\ndyad_core/   library\n  a.py   one\n  ops/   two\n    b.py   three\ntests/  four\n```\n"
    tree = readme_tree(drawn)

    assert tree == readme_tree(indented)
    assert tree == {
        "dyad_core/": "library",
        "dyad_core/a.py": "one",
        "dyad_core/ops/": "two",
        "dyad_core/ops/b.py": "three",
        "tests/": "four",
    }
    files = ["dyad_core/a.py", "dyad_core/new.py", "dyad_core/ops/b.py", "dyad_core/__init__.py", "tests/deep/x.py"]
    assert unlisted(files, tree) == ["dyad_core/new.py"]


def test_the_readme_tree_is_what_is_on_disk() -> None:
    tree = readme_tree((ROOT / "README.md").read_text(encoding="utf-8"))

    assert tree, "README.md has no annotated tree"
    assert [path for path in tree if not (ROOT / path).exists()] == [], "the tree names what is not there"
    assert [path for path, comment in tree.items() if not comment] == [], "a line says nothing about its file"
    assert unlisted(repository_files(), tree) == [], "files without a line in the tree"


def code_of(markdown: str) -> str:
    """The fenced blocks of a document, then what stands between backticks outside of them."""
    fence = re.compile(r"^ *```.*?^ *```", flags=re.DOTALL | re.MULTILINE)
    return "\n".join([*fence.findall(markdown), *re.findall(r"`[^`]+`", fence.sub("", markdown))])


def test_every_make_target_is_documented_and_every_documented_one_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9]+):.*## ", makefile, flags=re.MULTILINE))
    named = {
        document: set(re.findall(r"\bmake ((?:[a-z0-9]+)(?: [a-z0-9]+)*)(?=[`\n ]|$)", code))
        for document in ("README.md", "CONTRIBUTING.md")
        for code in [code_of((ROOT / document).read_text(encoding="utf-8"))]
    }
    words = {document: {word for phrase in phrases for word in phrase.split()} for document, phrases in named.items()}

    assert {document: found - targets for document, found in words.items() if found - targets} == {}
    assert targets - words["CONTRIBUTING.md"] == set(), "a target that CONTRIBUTING.md does not mention"


# Written in pieces, so that this file does not find itself.
FOREIGN = re.compile(
    r"(?<![\w.:/-])/(?:work|farm|home|Users|root)/\w"
    r"|/opt/(?:wheels|pypi)"
    r"|\bpypi\.org|pythonhosted\.org|download\.pytorch\.org|\b(?:docker|ghcr|quay|nvcr)\.io/"
)


def test_no_file_speaks_of_one_machine_or_names_a_package_registry() -> None:
    found = []
    for name in repository_files():
        if name == Path(__file__).relative_to(ROOT).as_posix():
            continue
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{name}:{n}: {line.strip()[:100]}" for n, line in enumerate(text.splitlines(), 1) if FOREIGN.search(line)
        ]

    assert found == []


@pytest.mark.parametrize("line", ["cd /home/ann/dyad", "see https://pypi" + ".org/simple", "FROM ghcr" + ".io/x/y"])
def test_the_search_for_machine_paths_and_registries_finds_them(line: str) -> None:
    assert FOREIGN.search(line)


def test_continuous_integration_runs_what_a_contributor_types() -> None:
    script = ROOT / ".ci/run"

    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")
    assert "make test" in (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
