"""Made-up finished runs for verdicts: real records with chosen figures, nothing measured."""

from __future__ import annotations

import dataclasses
from typing import Any

from made_up import ENVIRONMENT

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, Candidate, MemoryUse


def candidate(
    low: float | None = 1.5, high: float | None = None, *, variant: str = "it", n_blocks: int = 4, **changes: Any
) -> Candidate:
    """A candidate with this interval (none: it has no speed), its speed-up in the middle, beside 12 ms of dense."""
    values: dict[str, Any] = {
        "variant": variant,
        "n_blocks": n_blocks,
        "grain": 1,
        "implementation": "eager",
        "pass_": "forward",
        "outcome": "measured",
        "parameters": 1_179_648,
        "flops": 2000,
        "limit": n_blocks / 2,
        "chosen_by_auto": True,
    }
    if low is not None:
        high = low + 0.2 if high is None else high
        speedup = (low + high) / 2
        outcome = "faster" if low > 1 else "slower" if high < 1 else "not_distinguishable"
        values |= {"speedup": speedup, "speedup_low": low, "speedup_high": high, "share_of_limit": speedup / n_blocks}
        values |= {"outcome": outcome, "median_ms": 12.0 / speedup, "samples_ms": (12.0 / speedup,) * 5}
        values["memory"] = MemoryUse(4_730_880, 512, 0, 1024, 4_732_416, "by hand", optimizer_state_bytes=0)
    return Candidate(**{**values, **changes})


def dense(pass_: str = "forward", **changes: Any) -> Candidate:
    """The dense twin: 12 ms a call."""
    values: dict[str, Any] = {
        "variant": "dense",
        "n_blocks": None,
        "grain": None,
        "implementation": "dense",
        "pass_": pass_,
        "outcome": "measured",
        "parameters": 2_359_296,
        "flops": 4000,
        "limit": 1.0,
        "samples_ms": (12.0,) * 5,
        "median_ms": 12.0,
        "speedup": 1.0,
        "speedup_low": 1.0,
        "speedup_high": 1.0,
        "share_of_limit": 1.0,
        "memory": MemoryUse(9_449_472, 512, 0, 2048, 9_452_032, "by hand", optimizer_state_bytes=0),
    }
    return Candidate(**{**values, **changes})


def finished(*candidates: Candidate, twins: tuple[Candidate, ...] | None = None, **spec: Any) -> BenchmarkRun:
    """A run of 768→3072 that holds these candidates and a dense twin for each pass they are of."""
    rivals = candidates or (candidate(),)
    passes = tuple(dict.fromkeys(each.pass_ for each in rivals))
    request = BenchmarkSpec(
        **{
            "in_features": 768,
            "out_features": 3072,
            "passes": passes,
            "n_blocks": tuple(dict.fromkeys(each.n_blocks for each in rivals if each.n_blocks)),
            "variants": tuple(dict.fromkeys(each.variant for each in rivals if each.variant != "dense_again")),
            **spec,
        }
    )
    twins = tuple(dense(each) for each in request.passes) if twins is None else twins
    return BenchmarkRun(
        spec=request,
        environment=dataclasses.replace(ENVIRONMENT, dtype=request.dtype),
        candidates=(*twins, *rivals),
        created_at="2026-01-02T03:04:05+00:00",
        duration_s=1.5,
    )
