"""The JSON shapes inside a benchmark's result; see :mod:`frontend.schemas` for how they are meant.

A run of an older version lacks what it did not know: everything beyond the first version is optional.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

__all__ = [
    "CandidateJson",
    "CeilingsJson",
    "CorrectnessJson",
    "MemoryJson",
    "NoiseJson",
    "OutcomeName",
    "SamplingJson",
]

OutcomeName = Literal[
    "faster",
    "slower",
    "not_distinguishable",
    "measured",
    "incorrect",
    "out_of_memory",
    "unsupported",
    "failed",
]


class MemoryJson(TypedDict, total=False):
    """Bytes of one candidate in one pass; the last four are None in older files."""

    parameters_bytes: int
    inputs_bytes: int
    gradients_bytes: int
    allocated_peak_bytes: int
    peak_bytes: int
    method: str
    outputs_bytes: int | None
    saved_activations_bytes: int | None
    optimizer_state_bytes: int | None
    temporaries_bytes: int | None


class CorrectnessJson(TypedDict):
    """Distance of one candidate from the oracle, relative."""

    passed: bool
    error: float | None
    tolerance: float
    dense_error: float


# "pass" is a keyword, so these need the functional form.
CandidateJson = TypedDict(
    "CandidateJson",
    {
        "variant": str,
        "n_blocks": int | None,
        "grain": int | None,
        "implementation": str,
        "pass": str,
        "outcome": str,
        "parameters": int,
        "flops": int,
        "limit": float,
        "samples_ms": list[float],
        "median_ms": float | None,
        "q1_ms": float | None,
        "q3_ms": float | None,
        "speedup": float | None,
        "speedup_low": float | None,
        "speedup_high": float | None,
        "share_of_limit": float | None,
        "memory": MemoryJson | None,
        "memory_predicted": MemoryJson | None,
        "correctness": CorrectnessJson | None,
        "warnings": list[str],
        "detail": str,
        "chosen_by_auto": bool,
        "bytes_moved": int | None,
        "operations": int | None,
        "placement": dict[str, Any] | None,
        "energy_j": float | None,
    },
    total=False,
)

SamplingJson = TypedDict(
    "SamplingJson",
    {
        "pass": str,
        "rounds": int,
        "looks": int,
        "stopped": Literal["target", "budget", "rounds"],
        "target_interval": float,
        "widest_interval": float | None,
        "critical_value": float,
        "method": str,
    },
)


CeilingsJson = dict[str, Any]
"""What the machine can do at most, at the run's dtype."""

NoiseJson = dict[str, Any]
"""What else the machine did before, during and after."""
