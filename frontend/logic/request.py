"""From controls to a request and back, and the same request as ``curl`` and as ``dyad bench``.

The dashboard does not judge the values: the service does, with one sentence per wrong field. That is why an entry that
is not a number is passed on as it was typed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "DEFAULTS",
    "PEERS",
    "candidate_count",
    "command_line",
    "curl",
    "expected_candidates",
    "from_controls",
    "limit",
    "short_request",
    "summary",
    "to_number",
]

DEFAULTS: dict[str, Any] = {
    "in_features": 768,
    "out_features": 3072,
    "module": "linear",
    "tokens": 4096,
    "n_blocks": [4, 8],
    "variants": ["it"],
    "grains": [1],
    "implementations": ["auto"],
    "passes": ["forward"],
    "dtype": "float32",
    "device": "cpu",
    "threads": None,
    "seed": 0,
    "max_seconds": 60.0,
    "peers": [],
    "allocator": "default",
    "optimizer": "adamw",
    "float32_matmul_precision": "highest",
    "compile": False,
    "cuda_graph": False,
    "cache": "warm",
    "n_seeds": 1,
    "target_interval": 0.02,
}
"""Every field of a request with the value that the service takes when the field is left out (sizes apart)."""

# What the command line calls each field.
_OPTIONS = {
    "in_features": "--in",
    "out_features": "--out",
    "n_blocks": "--blocks",
    "variants": "--variants",
    "module": "--module",
    "tokens": "--tokens",
    "grains": "--grains",
    "implementations": "--implementations",
    "passes": "--passes",
    "dtype": "--dtype",
    "device": "--device",
    "threads": "--threads",
    "seed": "--seed",
    "max_seconds": "--max-seconds",
    "peers": "--peers",
    "allocator": "--allocator",
    "optimizer": "--optimizer",
    "float32_matmul_precision": "--float32-matmul-precision",
    "compile": "--compile",
    "cuda_graph": "--cuda-graph",
    "cache": "--cache",
    "n_seeds": "--seeds",
    "target_interval": "--target-interval",
}

PEERS = {"low_rank": "low-rank", "monarch": "monarch", "dense_again": "dense again (A/A)"}
"""What is measured beside DYAD and is none, as charts name it."""
_ALWAYS = ("in_features", "out_features", "n_blocks", "variants")


def to_number(entry: object) -> object:
    """Return a typed entry as an integer where it is one; anything else unchanged."""
    if isinstance(entry, str):
        try:
            return int(entry.strip())
        except ValueError:
            return entry
    return entry


def from_controls(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that the controls say; lists of numbers ascending, each once.

    ``values`` maps field names to what the controls hold; a missing one takes its default.
    """
    request = {name: values.get(name, default) for name, default in DEFAULTS.items()}
    for name in ("n_blocks", "grains"):
        numbers = dict.fromkeys(to_number(entry) for entry in request[name])
        request[name] = sorted(numbers, key=lambda item: (not isinstance(item, int), str(item).zfill(12)))
    for name in ("variants", "implementations", "passes", "peers"):
        request[name] = list(request[name])
    return request


def short_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request without the fields that say what the service assumes anyway."""
    return {
        name: request[name]
        for name in DEFAULTS
        if name in request and (name in _ALWAYS or request[name] != DEFAULTS[name])
    }


def curl(request: Mapping[str, Any], address: str) -> str:
    """Return the ``curl`` call that submits the same request."""
    body = json.dumps(short_request(request))
    return (
        f"curl -X POST {address}/api/v1/benchmarks \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def command_line(request: Mapping[str, Any]) -> str:
    """Return the ``dyad bench`` call that measures the same request in a terminal."""
    parts = ["dyad bench"]
    for name, value in short_request(request).items():
        if value is True:
            parts.append(_OPTIONS[name])
            continue
        values = value if isinstance(value, list | tuple) else [value]
        parts.append(" ".join([_OPTIONS[name], *(shlex.quote(_plain(item)) for item in values)]))
    return " ".join(parts)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def expected_candidates(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return variant, n_blocks, grain and implementation of each DYAD candidate of a request, in its order.

    BLOCKDIAG alone has no interleave, so ``bd`` appears with the first grain only. A chart that knows
    its rows beforehand does not jump while results come in.
    """
    return [
        {"variant": variant, "n_blocks": n, "grain": grain, "implementation": implementation}
        for n in spec["n_blocks"]
        for variant in spec["variants"]
        for grain in (spec["grains"][:1] if variant == "bd" else spec["grains"])
        for implementation in spec["implementations"]
    ]


def candidate_count(request: Mapping[str, Any]) -> int:
    """Return how many DYAD candidates a request asks for."""
    return len(expected_candidates(request))


def summary(request: Mapping[str, Any]) -> str:
    """Say in one line what Run will measure: candidates, passes, and the limits they are held against."""
    candidates = expected_candidates(request)
    if not candidates:
        return "Choose at least one variant, n_blocks, grain, implementation and pass."
    limits: dict[str, None] = {}
    for candidate in candidates:
        n = candidate["n_blocks"]
        if isinstance(n, int) and n > 0:
            limits[f"{limit(n, candidate['variant']):g}x"] = None
    passes = request["passes"]
    what = "1 candidate" if len(candidates) == 1 else f"{len(candidates)} candidates"
    how = f" in {len(passes)} passes" if len(passes) > 1 else ""
    held = f"; ideal speed-up {_joined(list(limits))}" if limits else ""
    return f"{what} against the dense twin{how}{held}."


def limit(n_blocks: int, variant: str) -> float:
    """Return the ideal speed-up of a layer: n/2, and n for BLOCKDIAG alone."""
    return float(n_blocks) if variant == "bd" else n_blocks / 2


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
