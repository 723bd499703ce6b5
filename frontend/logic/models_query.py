"""The controls of the Models page in its address: what differs from the start, and the configuration packed into a word.

An address is typed and shortened by people: what cannot be read is left out, and the control keeps its default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from frontend.logic.models_config import LONGEST_WORD, pack, unpack
from frontend.logic.models_request import CHOICES, CUSTOM, DEFAULTS

__all__ = ["JOB", "NAMES", "read", "write"]

JOB = "job"
CONFIG = "config"
NAMES = (JOB, CONFIG, *(name for name in DEFAULTS if name != "config_text"))
"""Every parameter of the page."""

LONGEST = 2000
MOST = 64
"""Entries of a list, as the service takes them."""

LARGEST = 2**53 - 1
"""Of whole numbers that a browser keeps."""

_APART = {"names": " "}
"""What stands between the entries of a list: no dotted name has a space."""


def write(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that :func:`read` turns back into the controls; the model is always among them."""
    held = {"model": str(values.get("model") or DEFAULTS["model"])}
    if held["model"] == CUSTOM and (word := pack(values.get("config_text") or "")):
        held[CONFIG] = word
    for name, default in DEFAULTS.items():
        value = values.get(name, default)
        if name in ("model", "config_text") or _same(value, default):
            continue
        if isinstance(default, list):
            held[name] = _APART.get(name, ",").join(str(item) for item in value)
        elif isinstance(default, bool):
            held[name] = "1" if value else "0"
        elif value is not None:
            held[name] = f"{value:g}" if isinstance(value, float) else str(value)
    if values.get(JOB):
        held[JOB] = str(values[JOB])
    return held


def _same(value: Any, default: Any) -> bool:
    if isinstance(default, list):
        return [str(item) for item in value or []] == [str(item) for item in default]
    return bool(value == default)


def read(params: Mapping[str, str]) -> dict[str, Any]:
    """Return what every control holds for an address, the name of the job under ``"job"`` (None without one)."""
    found: dict[str, Any] = {**DEFAULTS, "n_blocks": [str(n) for n in DEFAULTS["n_blocks"]], JOB: params.get(JOB)}
    for name, default in DEFAULTS.items():
        text = params.get(name)
        if text is None or len(text) > LONGEST or name == "config_text":
            continue
        value = _value(name, text, default)
        if value is not None:
            found[name] = value
    word = params.get(CONFIG)
    if word and len(word) <= LONGEST_WORD and (text := unpack(word)) is not None:
        found |= {"model": CUSTOM, "config_text": text}
    return found


def _value(name: str, text: str, default: Any) -> Any:
    if isinstance(default, list):
        entries = list(dict.fromkeys(filter(None, text.split(_APART.get(name, ",")))))[:MOST]
        fits = all(entry in CHOICES[name] for entry in entries) if name in CHOICES else True
        return entries if fits else None
    if isinstance(default, bool):
        return {"1": True, "0": False}.get(text)
    if name in CHOICES:
        return text if text in CHOICES[name] else None
    if isinstance(default, str):
        return text
    return _number(text, default)


def _number(text: str, default: Any) -> Any:
    if len(text) > 16:
        return None
    if isinstance(default, float):
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) else None
    whole = int(text) if text.isascii() and text.removeprefix("-").isdigit() else None
    return whole if whole is None or abs(whole) <= LARGEST else None
