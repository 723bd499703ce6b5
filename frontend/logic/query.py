"""Controls in the address: what a link says, read with care.

An address is typed and shortened by people: what cannot be read is left out, and the control keeps its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["read", "write"]

LONGEST = 32


def read(params: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the controls that ``params`` names, each as the type of its default; unreadable ones are left out."""
    found: dict[str, Any] = {}
    for name, default in defaults.items():
        text = params.get(name)
        if text is None or len(text) > LONGEST:
            continue
        if isinstance(default, str):
            found[name] = text
        elif text.isascii() and text.removeprefix("-").isdigit():
            found[name] = int(text)
    return found


def write(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that :func:`read` turns back into ``values``."""
    return {name: str(value) for name, value in values.items() if value is not None}
