"""What stands around the figures of a whole model: what was asked, how it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frontend.logic import words
from frontend.logic.run_words import pass_words, precision_words
from frontend.schemas import RunRecord
from frontend.schemas_models import ModelRecord

__all__ = ["as_run", "job_line", "measured_note", "model_name", "reading_lines", "spec_line"]


def as_run(record: ModelRecord) -> RunRecord:
    """Return what a list of runs reads of a measurement: whether it is from elsewhere, and from which machine."""
    return RunRecord(origin=record.get("origin") or "local", machine=record.get("machine"))  # type: ignore[typeddict-item]


def model_name(spec: Mapping[str, Any]) -> str:
    """Return the name of a preset, or the architecture of a configuration."""
    config = spec.get("config")
    if isinstance(config, Mapping):
        return f"{config.get('model_type', 'transformers')} of one's own"
    return str(config)


def spec_line(spec: Mapping[str, Any]) -> str:
    """Say in one line which work a model is given."""
    parts = [
        f"batch {words.count(spec['batch'])} × {words.count(spec['sequence'])} tokens",
        str(spec["dtype"]),
        "no optimizer" if spec.get("optimizer") == "none" else f"optimizer {spec.get('optimizer')}",
    ]
    if spec.get("checkpointing"):
        parts.append("checkpointing")
    if spec.get("grain", 1) != 1:
        parts.append(f"grain {spec['grain']}")
    if spec.get("compile"):
        parts.append("torch.compile")
    return " · ".join(parts)


def job_line(spec: Mapping[str, Any]) -> str:
    """Say in one line what a measurement measures."""
    variants = " ".join(str(variant).upper() for variant in spec["variants"])
    blocks = ", ".join(str(n) for n in spec["n_blocks"])
    passes = " + ".join(pass_words(name) for name in spec.get("passes") or [])
    modes = [mode for mode in spec.get("modes") or [] if mode != "layers"]
    pair = " · as a pair" if modes and len(spec["modes"]) == 1 else " · by itself and as a pair" if modes else ""
    return f"{model_name(spec)} · {variants} · n = {blocks}{pair} · {passes} · {spec_line(spec)} · {spec['device']}"


def measured_note(spec: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """What every chart says of its conditions: the work, the precision of both sides, the device."""
    device = environment.get("device_name") or environment.get("cpu_name") or spec.get("device")
    parts = [spec_line(spec), f"both sides {precision_words(spec, environment)}", f"on {device}"]
    if str(spec.get("device", "cpu")).startswith("cpu") and environment.get("threads"):
        parts.append(words.plural(int(environment["threads"]), "thread"))
    return " · ".join(parts)


def reading_lines(reading: str) -> str:
    """Return a sentence of several findings as a heading and a list (Markdown): what stands between semicolons is one each."""
    first, *others = [part.strip() for part in words.as_it_is(reading).split("; ")]
    listed = "\n".join(f"- **{part[:1].upper()}{part[1:]}**" for part in others)
    return f"### {first}\n\n{listed}" if others else f"### {first}"
