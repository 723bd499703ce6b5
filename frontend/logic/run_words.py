"""What stands around the figures of a run: where, under which conditions, how the sampling ended, first figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frontend.logic import words
from frontend.logic.rows import rows_of
from frontend.schemas_runs import CandidateJson, SamplingJson

__all__ = [
    "PASS_WORDS",
    "chart_note",
    "conditions_line",
    "environment_line",
    "pass_words",
    "passes_of",
    "precision_words",
    "sampling_line",
    "spec_line",
    "speedups",
]

PASS_WORDS = {
    "forward": "forward",
    "backward_input": "backward, input gradient",
    "backward_weight": "backward, weight gradient",
    "train_step": "training step",
    "decode": "decode",
}

_STOPPED = {
    "target": "stopped because the wished interval was reached",
    "budget": "stopped because the time budget was spent",
    "rounds": "stopped at the most rounds that are ever taken",
}


def pass_words(name: str) -> str:
    """Return a pass as people say it."""
    return PASS_WORDS.get(name, name)


def passes_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the passes of a request, in its order."""
    return list(spec.get("passes") or ["forward"])


def sampling_line(sampling: SamplingJson) -> str:
    """Say how sure and why no more was measured: ``±1.8 % after 34 rounds, stopped because …``."""
    reached = sampling.get("widest_interval")
    rounds = words.plural(sampling["rounds"], "round")
    why = _STOPPED.get(sampling["stopped"], f"stopped: {sampling['stopped']}")
    if reached is None:
        return f"No interval after {rounds}, {why}"
    missed = "" if sampling["stopped"] == "target" else f" (wished: ±{_percent(sampling['target_interval'])})"
    return f"±{_percent(reached)}{missed} after {rounds}, {why}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def speedups(candidates: Sequence[CandidateJson]) -> str:
    """The speed-ups of the pass measured last, as words: ``IT n=4 1.52x, IT n=8 1.72x of dense``."""
    rows = [row for row in rows_of(candidates) if not row.is_dense and row.speedup is not None]
    latest = [row for row in rows if row.pass_name == rows[-1].pass_name]
    listed = ", ".join(f"{row.label} {row.speedup:.2f}x" for row in latest)
    return f"{listed} of dense" if listed else "none of a candidate yet"


def precision_words(spec: Mapping[str, Any], environment: Mapping[str, Any] | None = None) -> str:
    """Say the compute dtype of both sides: ``float32``, ``float32 (matrix products in high)``, ``float16 (emulated)``."""
    known = environment or {}
    text = str(known.get("dtype") or spec.get("dtype"))
    if known.get("dtype_emulated"):
        text += " (emulated)"
    precision = known.get("float32_matmul_precision") or spec.get("float32_matmul_precision")
    return text if precision in (None, "highest") else f"{text}, float32 matmul precision {precision}"


def conditions_line(spec: Mapping[str, Any]) -> str:
    """Say the settings of a request that are not the usual ones; empty when there is none."""
    parts = []
    if "train_step" in passes_of(spec) and spec.get("optimizer"):
        parts.append("no optimizer" if spec["optimizer"] == "none" else f"optimizer {spec['optimizer']}")
    if spec.get("compile"):
        parts.append("under torch.compile")
    if spec.get("cuda_graph"):
        parts.append("CUDA graph")
    if spec.get("cache") == "flushed":
        parts.append("cache flushed before every call")
    if (spec.get("n_seeds") or 1) > 1:
        parts.append(f"{spec['n_seeds']} seeds")
    return ", ".join(parts)


def environment_line(environment: Mapping[str, Any]) -> str:
    """Say where a run was measured: machine, threads, dtype, versions."""
    device = environment.get("device_name") or environment.get("cpu_name") or environment.get("device")
    where = [str(environment.get("hostname") or "unknown machine"), str(device)]
    if str(environment.get("device", "cpu")).startswith("cpu"):
        where.append(words.plural(int(environment["threads"]), "thread"))
    return " · ".join([*where, precision_words({}, environment), f"torch {environment.get('torch_version')}"])


def chart_note(spec: Mapping[str, Any], environment: Mapping[str, Any] | None = None) -> str:
    """What every chart says of its conditions: precision of both sides and the device, and what is unusual."""
    known = environment or {}
    device = known.get("device_name") or known.get("cpu_name") or spec.get("device")
    parts = [f"both sides {precision_words(spec, environment)}", f"on {device}"]
    if str(spec.get("device", "cpu")).startswith("cpu") and known.get("threads"):
        parts.append(words.plural(int(known["threads"]), "thread"))
    parts.append(f"{words.count(spec['tokens'])} tokens")
    return " · ".join([*parts, *filter(None, [conditions_line(spec)])])


def spec_line(spec: Mapping[str, Any]) -> str:
    """Say what a run measures in one line: sizes, tokens, variants, n, dtype, device."""
    sizes = f"{spec['in_features']} → {spec['out_features']}"
    if spec.get("module") == "feed_forward":
        sizes += f" → {spec['in_features']}"
    variants = " ".join(str(variant).upper() for variant in spec["variants"])
    blocks = ", ".join(str(n) for n in spec["n_blocks"])
    passes = " + ".join(passes_of(spec))
    tokens = f"{words.count(spec['tokens'])} tokens"
    line = f"{sizes} · {variants} · n = {blocks} · {tokens} · {passes} · {spec['dtype']} · {spec['device']}"
    unusual = conditions_line(spec)
    return f"{line} · {unusual}" if unusual else line
