"""How many bytes a request will need, from its sizes alone, before anything is allocated.

The dense twin and all candidates of a run are alive together (they are timed in interleaved rounds), so their
weights add up; activations, temporaries and gradients exist for one candidate at a time, so the largest counts.
An upper estimate: where implementations differ it takes the hungrier one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dyad_core.bench.candidates import DTYPES, WITH_GRADIENTS, layer_sizes, plans
from dyad_core.bench.correctness import CHECKED_TOKENS
from dyad_core.bench.oracle import CHUNK_ELEMENTS
from dyad_core.bench.rotation import ASSUMED_BYTES, cache_bytes
from dyad_core.bench.spec import BenchmarkSpec

__all__ = ["Footprint", "footprint", "human"]

MIB = 2**20
# Measured: a process that has imported torch 2.13 for the CPU and timed something small has some 350 MiB resident.
PROCESS_BYTES = 400 * MIB


@dataclass(frozen=True)
class Footprint:
    """Bytes a request needs: a part that does not depend on tokens, and a part per token."""

    weights_bytes: int
    gradients_bytes: int
    working_bytes: int
    per_token_bytes: int
    tokens: int

    @property
    def fixed_bytes(self) -> int:
        """What is needed however few the tokens."""
        return self.weights_bytes + self.gradients_bytes + self.working_bytes

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return self.fixed_bytes + self.per_token_bytes * self.tokens


def footprint(spec: BenchmarkSpec) -> Footprint:
    """Estimate from above what ``spec`` needs on its device. Allocates nothing, whatever the sizes."""
    item = DTYPES[spec.dtype].itemsize
    trains = any(pass_ in WITH_GRADIENTS for pass_ in spec.passes)
    # auto may take another implementation in each pass: weights are the same, copies need not be.
    of_passes = [plan for pass_ in spec.passes for plan in plans(spec, pass_)]
    planned = plans(spec)
    biases = len(planned) * (spec.out_features + (len(layer_sizes(spec)) - 1) * spec.in_features)
    dense = planned[0].parameters(spec)
    gradients = dense if trains else 0
    working = 4 * 8 * max(CHUNK_ELEMENTS, spec.in_features, spec.out_features)  # the oracle's rows and what it compares
    working += 8 * 8 * min(CHECKED_TOKENS, spec.tokens) * (spec.in_features + spec.out_features)
    used = [implementation for plan in of_passes for implementation in plan.registered]
    dense_copies = max((implementation.dense_copies for implementation in used), default=0)
    copies = max((implementation.activation_copies for implementation in used), default=2 if spec.peers else 0)
    if spec.peers:
        working += 5 * 8 * dense // len(layer_sizes(spec)) // 2  # float64 factors, their gradients, rows they make
    # Operands in a second layout stay alive beside the first.
    ends = spec.in_features + (spec.out_features if spec.module == "linear" else spec.in_features) * trains
    turned = ends if any(plan.layout != "token_major" for plan in planned) else 0
    working += (2 if trains else 1) * dense_copies * dense // len(layer_sizes(spec)) * item  # and their gradients
    if spec.device == "cpu":
        working += PROCESS_BYTES
    weights = (sum(plan.parameters(spec) for plan in planned) + biases) * item
    if "decode" in spec.passes:
        rotated = 2 * ASSUMED_BYTES["cuda"] if spec.device != "cpu" else 2 * cache_bytes(torch.device("cpu"))
        weights += len(planned) * rotated  # beside the copy that is there anyway
    return Footprint(
        weights_bytes=weights,
        gradients_bytes=gradients * item,
        working_bytes=working,
        per_token_bytes=(_features_per_token(spec, copies, trains=trains) + turned) * item,
        tokens=spec.tokens,
    )


def _features_per_token(spec: BenchmarkSpec, copies: int, *, trains: bool) -> int:
    """Values per token alive at once: input, output, hidden, re-laid-out copies and their gradients."""
    narrow, wide = spec.in_features, spec.out_features
    more = copies * (narrow + wide) * (2 if trains else 1)
    if spec.module == "linear":
        forward = 2 * narrow + 2 * wide + more  # input and its gathered copy, output and what is scattered into it
        # Then the output gradient, its masked copy for the check, both re-laid-out copies, the input gradient.
        return forward + (2 * narrow + 3 * wide if trains else 0)
    forward = 3 * narrow + 3 * wide + more
    return forward + (4 * narrow + 4 * wide if trains else 0)


def human(number: int) -> str:
    """Bytes for people: exact, and in the unit that leaves one to three digits before the point."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{number:,} bytes" if unit == "B" else f"{number:,} bytes ({value:.1f} {unit})"
