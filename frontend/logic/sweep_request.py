"""From the controls of the Crossover page to a sweep and back, its size before it starts, and the same as ``curl``.

The dashboard does not judge the values: the service does, with one sentence per wrong field.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from frontend.logic import words
from frontend.logic.request import to_number

__all__ = [
    "CONFIRM_FIELD",
    "DEFAULTS",
    "command_line",
    "curl",
    "estimate",
    "from_controls",
    "refused_for_size",
    "to_controls",
]

DEFAULTS: dict[str, Any] = {
    "widths": [128, 256, 512, 1024, 2048],
    "tokens": [16, 64, 256, 1024, 4096],
    "ratio": 4.0,
    "module": "linear",
    "n_blocks": [4, 8],
    "variants": ["it"],
    "grain": 1,
    "implementations": ["auto"],
    "passes": ["forward"],
    "dtype": "float32",
    "device": "cpu",
    "threads": None,
    "seed": 0,
    "optimizer": "adamw",
    "float32_matmul_precision": "highest",
    "cache": "warm",
    "target_interval": 0.05,
    "max_seconds": 600.0,
    "max_points": 200,
    "reuse": True,
}
"""Every field that the page has a control for, with the value that it starts with."""

CONFIRM_FIELD = "confirmed"
NUMBERS = ("widths", "tokens", "n_blocks")
LISTS = ("variants", "implementations", "passes")
OPTIONS = {"n_blocks": "--blocks"}
"""What the command line calls a field where it is not just the field's name."""

ALWAYS = ("widths", "tokens", "n_blocks", "variants", "passes", "max_seconds")


def from_controls(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sweep that the controls say; lists of numbers ascending, each once; minutes become seconds."""
    request = {name: values.get(name, default) for name, default in DEFAULTS.items()}
    for name in NUMBERS:
        numbers = dict.fromkeys(to_number(entry) for entry in request[name])
        request[name] = sorted(numbers, key=lambda item: (not isinstance(item, int), str(item).zfill(12)))
    for name in LISTS:
        request[name] = list(request[name])
    if "minutes" in values:
        minutes = values["minutes"]
        request["max_seconds"] = None if minutes is None else 60.0 * minutes
    return request


def to_controls(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the controls hold for a sweep; explicit sizes are shown by their widths."""
    known = {name: spec.get(name, default) for name, default in DEFAULTS.items()}
    if spec.get("sizes"):
        known["widths"] = [size[0] for size in spec["sizes"]]
    for name in NUMBERS:
        known[name] = [str(number) for number in known[name]]
    known["ratio"], known["target_interval"] = float(known["ratio"]), float(known["target_interval"])
    known["minutes"] = round(float(known.pop("max_seconds")) / 60, 3)
    return known


def curl(request: Mapping[str, Any], address: str) -> str:
    """Return the ``curl`` call that submits the same sweep."""
    body = {name: value for name, value in request.items() if name in ALWAYS or value != DEFAULTS.get(name)}
    return (
        f"curl -X POST {address}/api/v1/sweeps \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(body))}"
    )


def command_line(request: Mapping[str, Any]) -> str:
    """Return the ``dyad sweep`` call that measures the same map in a terminal."""
    parts = ["dyad sweep"]
    for name, value in request.items():
        if name == "reuse" or value is None or (name not in ALWAYS and value == DEFAULTS.get(name)):
            continue
        option = OPTIONS.get(name, f"--{name.replace('_', '-')}")
        values = value if isinstance(value, list | tuple) else [value]
        parts.append(
            " ".join([option, *(shlex.quote(f"{item:g}" if isinstance(item, float) else str(item)) for item in values)])
        )
    return " ".join(parts)


def estimate(request: Mapping[str, Any]) -> str:
    """Say how many sizes the lattice has, what is measured at each, and how long it may take at most."""
    sizes = len(request["widths"]) * len(request["tokens"])
    maps = (
        len(request["n_blocks"]) * len(request["variants"]) * len(request["implementations"]) * len(request["passes"])
    )
    if not sizes or not maps:
        return "Choose at least one width, number of tokens, n_blocks, variant and pass."
    seconds = request["max_seconds"]
    limit = f" in at most {words.duration(seconds)}" if isinstance(seconds, int | float) and seconds > 0 else ""
    return (
        f"A lattice of **{words.plural(sizes, 'size')}** ({len(request['widths'])} widths × {len(request['tokens'])} tokens), "
        f"**{words.plural(maps, 'map')}**. The sweep measures corners first, then where 1.0x is crossed{limit}."
    )


def refused_for_size(errors: object) -> bool:
    """Whether a sweep was refused only because nobody confirmed how large it is."""
    fields = (
        [entry.get("field") for entry in errors if isinstance(entry, dict)] if isinstance(errors, list | tuple) else []
    )
    return fields == [CONFIRM_FIELD]
