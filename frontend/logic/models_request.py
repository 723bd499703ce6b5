"""From the controls of the Models page to a question, to a measurement and back; and the same as ``curl`` and ``dyad model``.

The dashboard does not judge the values: the service does, with one sentence per wrong field. Only a text that is no JSON
object cannot be sent at all.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from frontend.logic import words
from frontend.logic.models_config import config_text, read_config
from frontend.logic.request import to_number
from frontend.logic.run_words import pass_words

__all__ = [
    "CHOICES",
    "CUSTOM",
    "DEFAULTS",
    "ESTIMATED",
    "MEASURED",
    "MODE_WORDS",
    "command_line",
    "curl",
    "estimate_request",
    "measure_request",
    "summary",
    "to_controls",
]

CUSTOM = "config.json"
"""What the choice of a model holds where the configuration is a text of one's own."""

ESTIMATED: dict[str, Any] = {
    "n_blocks": [4, 8],
    "variants": ["it"],
    "modes": ["layers"],
    "names": [],
    "grain": 1,
    "batch": 1,
    "sequence": 256,
    "dtype": "float32",
    "optimizer": "adamw",
    "checkpointing": False,
}
"""What an estimate asks for beside the model, with what the page starts with."""

MEASURED: dict[str, Any] = {
    "passes": ["train_step"],
    "parts": True,
    "device": "cpu",
    "threads": None,
    "float32_matmul_precision": "highest",
    "compile": False,
    "implementation": "auto",
    "seed": 0,
    "max_seconds": 120.0,
    "target_interval": 0.02,
}
"""What a measurement asks for beyond that."""

DEFAULTS: dict[str, Any] = {"model": "opt-125m", "config_text": "", **ESTIMATED, **MEASURED}
"""Every control of the page with what it starts with."""

CHOICES: dict[str, tuple[str, ...]] = {
    "variants": ("it", "ot", "dt", "bd"),
    "modes": ("layers", "feed_forward"),
    "dtype": ("float32", "float64", "bfloat16", "float16"),
    "optimizer": ("adamw", "sgd", "none"),
    "passes": ("train_step", "prefill", "decode"),
    "float32_matmul_precision": ("highest", "high", "medium"),
}
"""Controls that hold only what they offer."""

MODE_WORDS = {"layers": "each layer by itself", "feed_forward": "the feed-forward as a pair"}

_OPTIONS = {"n_blocks": "--blocks"}
"""What the command line calls a field where it is not just the field's name."""

_ALWAYS = ("n_blocks", "variants", "batch", "sequence")


def estimate_request(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question that the controls ask.

    Raises:
        ConfigError: the text of a configuration is no JSON object.
    """
    chosen = values.get("model", DEFAULTS["model"])
    config = read_config(values.get("config_text") or "") if chosen == CUSTOM else chosen
    return {"config": config, **_fields(values, ESTIMATED)}


def measure_request(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measurement that the controls ask for.

    Raises:
        ConfigError: as :func:`estimate_request`.
    """
    return {**estimate_request(values), **_fields(values, MEASURED)}


def _fields(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: values.get(name, default) for name, default in defaults.items()}
    for name, value in found.items():
        if isinstance(value, list | tuple):
            found[name] = list(value)
    if "n_blocks" in found:
        numbers = dict.fromkeys(to_number(entry) for entry in found["n_blocks"])
        found["n_blocks"] = sorted(numbers, key=lambda item: (not isinstance(item, int), str(item).zfill(12)))
    return found


def to_controls(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the controls hold for a request; a value that a control cannot hold becomes its default."""
    known = {name: spec.get(name, default) for name, default in {**ESTIMATED, **MEASURED}.items()}
    for name, allowed in CHOICES.items():
        value = known[name]
        fits = all(item in allowed for item in value) if isinstance(value, list | tuple) else value in allowed
        known[name] = value if fits else DEFAULTS[name]
    for name in ("n_blocks", "names"):
        known[name] = [str(item) for item in known[name]]
    for name in ("variants", "modes", "passes"):
        known[name] = list(known[name])
    known["max_seconds"], known["target_interval"] = float(known["max_seconds"]), float(known["target_interval"])
    config = spec.get("config", DEFAULTS["model"])
    if isinstance(config, dict):
        return {"model": CUSTOM, "config_text": config_text(config), **known}
    return {"model": str(config), "config_text": "", **known}


def summary(request: Mapping[str, Any]) -> str:
    """Say in one line what a measurement will measure, and how long it may take."""
    candidates = len(request["n_blocks"]) * len(request["variants"]) * len(request["modes"])
    passes = request["passes"]
    if not candidates or not passes:
        return "Choose at least one n_blocks, variant, mode and pass."
    seconds = request["max_seconds"]
    limit = f", timed for at most {words.duration(seconds)}" if isinstance(seconds, int | float) and seconds > 0 else ""
    return (
        f"{words.plural(candidates, 'candidate')} against the dense model: {_joined([pass_words(name) for name in passes])}"
        f"{limit}."
    )


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def curl(request: Mapping[str, Any], address: str, *, measure: bool) -> str:
    """Return the ``curl`` call that asks the same."""
    path = "measurements" if measure else "estimate"
    return (
        f"curl -X POST {address}/api/v1/models/{path} \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(_short(request), ensure_ascii=False))}"
    )


def command_line(request: Mapping[str, Any], *, measure: bool) -> str:
    """Return the ``dyad model`` call that asks the same in a terminal; a configuration of one's own is read from a file."""
    config = request["config"]
    model = "--config config.json" if isinstance(config, dict) else shlex.quote(str(config))
    parts = [f"dyad model {'measure' if measure else 'estimate'} {model}"]
    for name, value in _short(request).items():
        if name == "config" or value is None or value == []:
            continue
        option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
        if isinstance(value, bool):
            parts.append(option if value else f"--no-{option.removeprefix('--')}")
            continue
        values = value if isinstance(value, list | tuple) else [value]
        parts.append(
            " ".join([option, *(shlex.quote(f"{item:g}" if isinstance(item, float) else str(item)) for item in values)])
        )
    return " ".join(parts)


def _short(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request without the fields that say what is assumed anyway."""
    return {
        name: value for name, value in request.items() if name in ("config", *_ALWAYS) or value != DEFAULTS.get(name)
    }
