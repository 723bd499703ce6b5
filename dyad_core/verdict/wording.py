"""The verdict in one sentence: decision, conditions, figures with their intervals, caveats, and where the run is.

Made of the figures alone. "Faster" is said only where the whole interval lies above 1.0x and above what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from dyad_core.bench.results import BenchmarkRun
from dyad_core.verdict.cautions import pass_name
from dyad_core.verdict.records import Decision, MemorySaved, PassVerdict, QualityEvidence, Saving, TimeSaved

__all__ = ["conditions_text", "quality_clause", "ratio_text", "sentence"]

HEADS: dict[Decision, str] = {
    "swap": "Swap",
    "do_not_swap": "Do not swap",
    "not_distinguishable": "Not distinguishable from {required}x",
    "no_evidence": "No evidence",
    "depends": "It depends on {depends_on}",
}
UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def sentence(
    decision: Decision,
    depends_on: str,
    label: str,
    conditions: str,
    passes: Sequence[PassVerdict],
    required_speedup: float,
    quality: str,
    caveats: Sequence[str],
    where: str,
) -> str:
    """Say a verdict.

    Args:
        label: what would be swapped in, for example ``"IT n=4"``.
        conditions: :func:`conditions_text`.
        quality: what quality has to do with the decision; empty where it was not asked for.
        caveats: what must not be missing beside the figures, a few words each.
        where: address or id of the run.
    """
    head = HEADS[decision].format(required=_asked(required_speedup), depends_on=depends_on)
    parts = [_pass_clause(each, required_speedup) for each in passes]
    memory = next((each.memory for each in passes if each.memory is not None), None)
    if memory is not None:
        parts.append(_memory_clause(memory))
    if quality:
        parts.append(quality)
    beside = f"; {', '.join(caveats)}" if caveats else ""
    return f"{head}: on {conditions}, {label}: {'; '.join(parts)}{beside} (run {where})."


def conditions_text(run: BenchmarkRun) -> str:
    """Machine, dtype and sizes in words, and every setting that is not the usual one."""
    spec, environment = run.spec, run.environment
    name = " ".join(environment.device_name.split())[:80]
    threads = f" ({_count(environment.threads, 'thread')})" if environment.device == "cpu" else ""
    dtype = f"{environment.dtype} (emulated)" if environment.dtype_emulated else environment.dtype
    sizes = f"{spec.in_features}→{spec.out_features}"
    if spec.module == "feed_forward":
        sizes = f"feed-forward {sizes}→{spec.in_features}"
    unusual = [
        *([f"float32 products {spec.float32_matmul_precision}"] if spec.float32_matmul_precision != "highest" else []),
        *(["compiled"] if spec.compile else []),
        *(["CUDA graph"] if spec.cuda_graph else []),
        *(["cache flushed"] if spec.cache == "flushed" else []),
        *(["allocator keeps pages"] if spec.allocator == "keep_pages" else []),
    ]
    return ", ".join([f"{name}{threads}", dtype, _count(spec.tokens, "token"), sizes, *unusual])


def ratio_text(value: float, threshold: float) -> str:
    """A ratio with two digits, or as many as it takes to stay on its side of ``threshold``."""
    for digits in range(2, 7):
        text = f"{value:.{digits}f}"
        if (float(text) > threshold) == (value > threshold) and (float(text) < threshold) == (value < threshold):
            break
    return text


def _pass_clause(each: PassVerdict, required: float) -> str:
    name = pass_name(each.pass_)
    if each.time is None:
        return f"{name} has no figure, {each.detail}"
    time = each.time
    figure = f"{ratio_text(time.speedup, required)}x of dense ({_interval(time, required)})"
    asked = f" the {_asked(required)}x asked for"
    if each.decision == "not_distinguishable":
        return f"{name} at {figure} is not distinguishable from {_asked(required)}x"
    if each.decision == "swap":
        if time.speedup_low > 1.0:
            return f"{name} is faster at {figure}{f', above{asked}' if required != 1.0 else ''}"
        return f"{name} is at {figure}, above{asked}"
    if time.speedup_high < 1.0:
        return f"{name} is slower, at {figure}{f', below{asked}' if required != 1.0 else ''}"
    return f"{name} is at {figure}, below{asked}"


def _asked(required: float) -> str:
    text = f"{required:g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _interval(time: TimeSaved, required: float) -> str:
    bounds = f"95 % interval {ratio_text(time.speedup_low, required)}–{ratio_text(time.speedup_high, required)}"
    return f"{bounds}, {_milliseconds(time.saved_low_ms, time.saved_high_ms)}"


def _milliseconds(low: float, high: float) -> str:
    if low >= 0:
        return f"{low:.3g}–{high:.3g} ms saved a call"
    if high <= 0:
        return f"{-high:.3g}–{-low:.3g} ms lost a call"
    return f"between {-low:.3g} ms lost and {high:.3g} ms saved a call"


def _memory_clause(memory: MemorySaved) -> str:
    return f"weights take {_bytes(memory.parameters)}, the peak {_bytes(memory.peak)}"


def _bytes(saving: Saving) -> str:
    if saving.saved_bytes == 0:
        return "as many bytes"
    size = abs(saving.saved_bytes)
    unit = next((each for each in UNITS if size >= each[0]), (1, "bytes"))
    share = "" if saving.share is None else f" ({_percent(abs(saving.share))})"
    return f"{size / unit[0]:.3g} {unit[1]} {'less' if saving.saved_bytes > 0 else 'more'}{share}"


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def quality_clause(found: QualityEvidence, max_loss: float, *, shown: bool) -> str:
    """What quality has to do with the decision, where a largest loss was named."""
    if found.lowest_ratio is None:
        return "no published quality speaks for this structure at this size"
    side = "within" if shown else "beyond"
    return f"published quality falls to {found.lowest_ratio:.3f} of dense, {side} the loss of {100 * max_loss:.3g} % accepted"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
