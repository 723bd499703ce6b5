"""Hold the packages that the images install against the known vulnerabilities (``make audit``), with pip-audit.

Exit codes: 0 nothing known against any of them, 1 something known, 2 wrong arguments, 3 not audited, because pip-audit could not be
installed or the database of vulnerabilities did not answer. Not audited is never called good.

The database is OSV's (``DYAD_OSV_URL`` names a mirror). Needs the network; pip-audit lives in an environment that is thrown away.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "docker/requirements"
PIP_AUDIT = "pip-audit==2.10.1"
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3


def last_line(text: str) -> str:
    """The last line that says something; of a traceback that is the error."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it gave no reason")


def verdict(answers: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and lines to print for what pip-audit said about each file."""
    packages = {(each["name"], each.get("version")): each for answer in answers for each in answer["dependencies"]}
    skipped = [
        f"{name} was not audited: {each['skip_reason']}"
        for (name, _), each in packages.items()
        if "skip_reason" in each
    ]
    known = [
        f"{name} {version}: {found['id']} ({', '.join(found['aliases']) or 'no alias'}), "
        f"mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for (name, version), each in packages.items()
        for found in each.get("vulns", [])
    ]
    if known:
        return VULNERABLE, [*known, *skipped, f"{len(known)} known vulnerabilities in {len(packages)} packages."]
    if skipped or not packages:
        return NOT_AUDITED, [*skipped, f"{len(packages) - len(skipped)} of {len(packages)} packages were audited."]
    return CLEAN, [f"Nothing is known against any of the {len(packages)} packages."]


def audit(python: Path, file: Path) -> dict[str, Any] | str:
    """What pip-audit answers about one file, or why it could not tell."""
    command = [str(python), "-m", "pip_audit", "--vulnerability-service", "osv", "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--requirement", str(file)]
    if url := os.environ.get("DYAD_OSV_URL"):
        command += ["--osv-url", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:  # an error of its own, and not a report
        return last_line(done.stderr)
    return answer


def main() -> int:
    """Audit every file of pins; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin/python"
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PIP_AUDIT]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.stderr.write(f"Not audited: {PIP_AUDIT} could not be installed. {last_line(done.stderr)}\n")
            return NOT_AUDITED
        answers = []
        for file in sorted(FOLDER.glob("*.txt")):
            answer = audit(python, file)
            if isinstance(answer, str):
                sys.stderr.write(f"Not audited: the database of vulnerabilities did not answer. {answer}\n")
                return NOT_AUDITED
            answers.append(answer)
    code, lines = verdict(answers)
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
