"""Install what an image needs, with the pins of constraints.txt. Runs inside an image build only (docker/Dockerfile).

What: `python docker/install.py torch` installs torch; any other argument names an extra of pyproject.toml, or `library` for
what every user of the library needs.
Why: the images copy the source beside the packages, so the packages are a layer of their own that a change of code leaves alone.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CA_BUNDLE = Path("/run/secrets/ca")  # optional build secret
WHEELS = Path("/wheels")  # optional wheel files, mounted for the build


def requirements(extra: str) -> Iterator[str]:
    """Yield the requirements of one extra, with those of the extras it names in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = project["dependencies"] if extra == "library" else project["optional-dependencies"][extra]
    for requirement in listed:
        own = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
        if own:
            for name in own[1].split(","):
                yield from requirements(name.strip())
        else:
            yield requirement


def main(names: list[str]) -> int:
    """Run pip once for all `names`; returns its exit status."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-cache-dir",
        "--progress-bar=off",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += ["--constraint", str(ROOT / "constraints.txt"), "--find-links", str(WHEELS)]
    if names == ["torch"]:
        index = os.environ.get("TORCH_INDEX_URL")
        command += ["--index-url", index] if index else []
        command += ["torch"]
    else:
        command += [requirement for name in names for requirement in requirements(name)]
    environment = dict(os.environ)
    if CA_BUNDLE.is_file() and CA_BUNDLE.stat().st_size:
        environment["PIP_CERT"] = str(CA_BUNDLE)
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
