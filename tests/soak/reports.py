"""Where soak tests leave what they found: a table on the screen and in a file, the figures beside it as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["publish"]


def publish(name: str, text: str, values: Any) -> None:
    """Print ``text``, and keep both in the folder that ``SOAK_REPORTS`` names (``make soak`` does)."""
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()
    folder = Path(os.environ.get("SOAK_REPORTS", Path(tempfile.gettempdir()) / "dyad-soak"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(f"{text}\n", encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
