"""docs/models.md: its Python lines run as printed, one after the other, in an empty folder and offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "transformers", reason="the guide is about models of transformers: pip install 'dyad-explorer[models]'"
)

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "models.md"


def test_the_lines_of_the_guide_run_as_printed(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "24 linear layers replaced" in done.stdout
    assert "125239296 [96" in done.stdout
