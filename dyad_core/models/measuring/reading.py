"""One sentence that says what the figures of a measured model mean."""

from __future__ import annotations

import dataclasses

from dyad_core.bench.reading import TROUBLES
from dyad_core.models.records import ModelCandidate, ModelRun
from dyad_core.models.spec import ModelPass

__all__ = ["PASS_WORDS", "label", "model_reading", "read_model_run"]

PASS_WORDS: dict[ModelPass, str] = {"train_step": "training step", "prefill": "prefill", "decode": "decode"}


def read_model_run(run: ModelRun) -> ModelRun:
    """The same run with its reading filled in."""
    return dataclasses.replace(run, reading=model_reading(run))


def model_reading(run: ModelRun) -> str:
    """The verdict in one sentence, with its conditions."""
    return f"{_conditions(run)}: {'; '.join(_pass_words(run, pass_) for pass_ in run.spec.passes)}."


def label(candidate: ModelCandidate, run: ModelRun) -> str:
    """Short name inside a run: ``dense``, ``IT n=4``, with its mode where the run holds several."""
    if candidate.n_blocks is None:
        return candidate.variant
    name = f"{candidate.variant.upper()} n={candidate.n_blocks}"
    if len(run.spec.modes) < 2 and candidate.mode == "layers":
        return name
    return f"{name}, {'whole feed-forward' if candidate.mode == 'feed_forward' else 'layer by layer'}"


def _conditions(run: ModelRun) -> str:
    spec, where = run.spec, run.environment
    threads = f" ({where.threads} {'thread' if where.threads == 1 else 'threads'})" if where.device == "cpu" else ""
    emulated = " (emulated)" if where.dtype_emulated else ""
    compiled = ", torch.compile" if spec.compile else ""
    work = f"batch {spec.batch} × {spec.sequence} tokens"
    return f"{run.name} on {where.device_name}{threads}, {where.dtype}{emulated}{compiled}, {work}"


def _pass_words(run: ModelRun, pass_: ModelPass) -> str:
    here = [each for each in run.candidates if each.pass_ == pass_]
    rivals = [each for each in here if each.variant != "dense"]
    ranked = sorted((each for each in rivals if each.speedup is not None), key=lambda each: -(each.speedup or 0))
    parts = [_verdict(ranked[0], run, alone=len(ranked) == 1)] if ranked else []
    dense = next((each for each in here if each.variant == "dense"), None)
    if dense is not None and dense.median_ms is None:
        parts.append(f"the dense model {TROUBLES[dense.outcome]}, so there is nothing to compare with")
    elif not ranked:
        parts.append("no candidate could be measured")
    for each in rivals:
        if each.median_ms is None:
            parts.append(f"{label(each, run)} {TROUBLES[each.outcome]}")
    return (
        f"the {PASS_WORDS[pass_]} {', and '.join(parts)}" if ranked else f"{PASS_WORDS[pass_]}: {', and '.join(parts)}"
    )


def _verdict(best: ModelCandidate, run: ModelRun, *, alone: bool) -> str:
    speedup, low, high = best.speedup or 0.0, best.speedup_low or 0.0, best.speedup_high or 0.0
    name = label(best, run)
    interval = f"95 % interval {low:.2f}–{high:.2f}"
    foretold = f", {best.prediction.speedup:.2f}x foretold from its layers" if best.prediction is not None else ""
    if low <= 1.0 <= high:
        which = f"with {name}" if alone else f"with the best candidate, {name},"
        return f"{which} is not distinguishable from dense ({speedup:.2f}x, {interval}{foretold})"
    if high < 1.0:
        which = f"is slower with {name}" if alone else f"is slower with every candidate, {name} the least"
        return f"{which}: {speedup:.2f}x of dense ({interval}{foretold})"
    which = f"is faster with {name}" if alone else f"is fastest with {name}"
    return f"{which}: {speedup:.2f}x of dense ({interval}{foretold})"
