"""How this package starts Python processes of its own, so that they find the same ``dyad_core``."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

__all__ = ["child_environment"]


def child_environment() -> dict[str, str]:
    """Environment for a child: this one, and this copy of the package findable when it is not installed."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if root not in installed:
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = root if not known else os.pathsep.join((root, known))
    return environment
