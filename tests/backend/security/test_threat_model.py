"""Every claim of the threat model names a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.compile(r"`((?:[\w/]+/test_\w+\.py)?)::(test_\w+)`")


def test_every_test_that_the_threat_model_names_exists() -> None:
    named: list[tuple[str, str]] = []
    for line in (ROOT / "docs" / "threat_model.md").read_text(encoding="utf-8").splitlines():
        path = ""
        for found in NAMED.finditer(line):
            path = found[1] or path
            named.append((path, found[2]))

    assert len(named) > 25
    missing = [
        (path, name)
        for path, name in named
        if not (ROOT / "tests" / path).is_file()
        or f"def {name}(" not in (ROOT / "tests" / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_claim_has_one() -> None:
    text = (ROOT / "docs" / "threat_model.md").read_text(encoding="utf-8")
    claims = text.split("## What is done")[1].split("## What is not done")[0]
    rows = [line for line in claims.splitlines() if line.startswith("| ") and not line.startswith(("| claim", "| ---"))]

    assert len(rows) > 15
    assert [row for row in rows if "::test_" not in row] == []
