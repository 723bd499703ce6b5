"""An estimate as one sentence: what becomes smaller and by how much, and what is foretold only where times were measured."""

from __future__ import annotations

from typing import Any

from dyad_core.models.records import CandidateCost, ModelCost, ModelEstimate, Prediction

__all__ = ["best_candidate", "model_name", "reading", "short_bytes", "short_count"]

_PASSES = {"train_step": "training step", "prefill": "prefill", "decode": "step of decode"}


def model_name(config: str | dict[str, Any], read: Any) -> str:
    """Name of the preset, or the architecture with its sizes."""
    if isinstance(config, str):
        return config
    text = read.get_text_config()
    sizes = [
        f"{value} {word}"
        for field, word in (("num_hidden_layers", "layers"), ("hidden_size", "wide"))
        if isinstance(value := getattr(text, field, None), int)
    ]
    return f"{read.model_type} ({', '.join(sizes)})" if sizes else str(read.model_type)


def best_candidate(found: ModelEstimate) -> CandidateCost | None:
    """The candidate with the fastest foretold pass; without times the first that can be built; None if none can."""
    built = [candidate for candidate in found.candidates if candidate.cost is not None]
    foretold = [candidate for candidate in built if candidate.predictions]
    if foretold:
        return max(foretold, key=lambda candidate: candidate.predictions[0].speedup)
    return built[0] if built else None


def reading(found: ModelEstimate) -> str:
    """What the figures mean, with their conditions."""
    best = best_candidate(found)
    if best is None or best.cost is None:
        why = found.candidates[0].problems[0]
        count = len(found.candidates)
        return f"{f'None of the {count} candidates can' if count > 1 else 'The candidate cannot'} be built: {why}."
    spec, before, after = found.spec, found.dense, best.cost
    pair = ", the feed-forward as one module" if best.mode == "feed_forward" else ""
    parts = [
        f"With {best.variant.upper()}, n = {best.n_blocks}{pair}, {found.name} has {short_count(after.parameters)} parameters instead of "
        f"{short_count(before.parameters)} ({_change(after.parameters, before.parameters)})",
        f"a training step of {spec.batch} × {spec.sequence} tokens multiplies {_flops(after)} instead of {_flops(before)} and "
        f"holds {short_bytes(after.memory.train_bytes)} instead of {short_bytes(before.memory.train_bytes)} "
        f"({spec.dtype}, {_optimizer(spec.optimizer)}{', checkpointed' if spec.checkpointing else ''})",
    ]
    return f"{' and '.join(parts)}; {_speed(best.predictions)}."


def _speed(foretold: tuple[Prediction, ...]) -> str:
    if not foretold:
        return "how much faster that is has not been measured here, and fewer products do not tell it"
    words = [
        f"the {_PASSES[each.pass_]} should take {each.predicted_ms:.3g} ms instead of {each.dense_ms:.3g} ms ({each.speedup:.2f}x)"
        for each in foretold
    ]
    return f"from layer times measured here {' and '.join(words)}"


def short_count(number: int) -> str:
    """A number of parameters or FLOPs, three digits of it at least: ``"125.2 M"``, ``"1.32 G"``."""
    value = float(number)
    for unit in ("", " k", " M", " G", " T", " P"):
        if abs(value) < 999.95 or unit == " P":
            return f"{value:.{2 if abs(value) < 9.995 else 1}f}{unit}" if unit else f"{number}"
        value /= 1000
    return str(number)


def short_bytes(number: int) -> str:
    """Bytes: ``"1.62 GiB"``."""
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1023.5 or unit == "PiB":
            return f"{number} bytes" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1024
    return f"{number} bytes"


def _flops(cost: ModelCost) -> str:
    return f"{short_count(cost.flops_train_step)}FLOP"


def _change(after: int, before: int) -> str:
    return f"{100 * (after - before) / before:+.1f} %".replace("-", "−")


def _optimizer(name: str) -> str:
    return {"adamw": "AdamW", "sgd": "SGD"}.get(name, "no optimizer")
