"""Where a candidate stands under the machine's roofline, and what the distance is made of. Pure arithmetic.

The model is the roofline of Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 2009, doi 10.1145/1498765.1498785: a call takes at least as
long as its operations at the machine's peak, and at least as long as its bytes at the machine's bandwidth.

The gap beyond that is estimated from what is known of the call: its launches, its copies and its temporaries. Estimates
are no measurements: the rest may be negative where copies stay in the cache. What is not known is None.
"""

from __future__ import annotations

import dataclasses

from dyad_core.bench.candidates import DENSE, Plan
from dyad_core.bench.ceilings import Ceilings, full_name
from dyad_core.bench.placement import Bound, Placement
from dyad_core.bench.results import Candidate
from dyad_core.bench.spec import PEERS, BenchmarkSpec
from dyad_core.bench.traffic import compulsory_bytes, copied_bytes
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, DyadGeometry

__all__ = ["Bound", "Placement", "place", "placement", "plan_of", "sentence"]


def place(candidate: Candidate, spec: BenchmarkSpec, ceilings: Ceilings) -> Placement:
    """Place one candidate of a run under the ceilings of the machine that measured it.

    Raises:
        SpecError: the ceilings are of another device, dtype or precision of products than the run.
    """
    wanted = {
        "device": full_name(spec.device),
        "dtype": spec.dtype,
        "float32_matmul_precision": spec.float32_matmul_precision,
    }
    problems = [
        Problem(f"ceilings.{name}", f"must be {value!r}, as in the run", getattr(ceilings, name))
        for name, value in wanted.items()
        if getattr(ceilings, name) != value
    ]
    if problems:
        raise SpecError(problems)
    plan = plan_of(candidate, spec)
    moved = candidate.bytes_moved or compulsory_bytes(plan, spec, candidate.pass_)
    return placement(
        ceilings,
        flops=candidate.flops,
        bytes_moved=moved,
        measured_ms=candidate.median_ms,
        # A replayed graph starts its kernels without Python.
        operations=None if spec.cuda_graph else candidate.operations,
        copied=copied_bytes(plan, spec, candidate.pass_),
        temporaries=None if candidate.memory is None else candidate.memory.temporaries_bytes,
    )


def placement(
    ceilings: Ceilings,
    *,
    flops: int,
    bytes_moved: int,
    measured_ms: float | None = None,
    operations: int | None = None,
    copied: int | None = None,
    temporaries: int | None = None,
) -> Placement:
    """Place a call.

    Args:
        ceilings: of the machine.
        flops: operations of one call.
        bytes_moved: compulsory bytes of one call.
        measured_ms: of one call.
        operations: how many one call starts.
        copied: bytes that copies of one call read and write.
        temporaries: most bytes of temporaries at one moment, copies among them.
    """
    compute_ms = 1e3 * flops / ceilings.flops_per_s.median
    memory_ms = 1e3 * bytes_moved / ceilings.bytes_per_s.median
    launches_ms = None if operations is None else operations * ceilings.launch_us.median / 1e3
    predicted_ms = max(compute_ms, memory_ms)
    bound: Bound = "compute" if compute_ms >= memory_ms else "memory"
    if launches_ms is not None and launches_ms > predicted_ms:
        bound = "launch"
    start = Placement(
        flops=flops,
        bytes_moved=bytes_moved,
        flops_per_byte=flops / bytes_moved,
        compute_ms=compute_ms,
        memory_ms=memory_ms,
        launches_ms=launches_ms,
        predicted_ms=predicted_ms,
        bound=bound,
    )
    if measured_ms is None:
        return start
    gap_ms = measured_ms - predicted_ms
    launches = launches_ms
    if launches_ms is not None and ceilings.device != "cpu":
        launches = max(0.0, launches_ms - predicted_ms)  # a GPU computes while further kernels are launched
    copies = None if copied is None else 1e3 * copied / ceilings.bytes_per_s.median
    others = None
    if temporaries is not None and copied is not None:
        # Copies are temporaries; half of their traffic is the writing of them.
        others = 1e3 * 2 * max(0, temporaries - copied // 2) / ceilings.bytes_per_s.median
    rest = None if launches is None or copies is None or others is None else gap_ms - launches - copies - others
    return dataclasses.replace(
        start,
        measured_ms=measured_ms,
        gap_ms=gap_ms,
        gap_launches_ms=launches,
        gap_copies_ms=copies,
        gap_temporaries_ms=others,
        gap_rest_ms=rest,
        attained_flops_per_s=1e3 * flops / measured_ms,
        attained_bytes_per_s=1e3 * bytes_moved / measured_ms,
        attained_share=predicted_ms / measured_ms,
    )


def plan_of(candidate: Candidate, spec: BenchmarkSpec) -> Plan:
    """The plan that a candidate of a run came from, as far as sizes depend on it."""
    name, n = candidate.label, candidate.n_blocks
    for variant in VARIANTS:
        if candidate.variant == variant and n is not None:
            geometry = DyadGeometry(spec.in_features, spec.out_features, n, variant, candidate.grain or 1)
            return Plan(name, geometry, candidate.implementation)
    for peer in PEERS:
        if candidate.variant == peer:
            return Plan(name, None, candidate.implementation, peer=peer, equal_n=n)
    return Plan(name, None, DENSE)


def sentence(found: Placement) -> str:
    """Say a placement in words, with its figures."""
    named = {"compute": "arithmetic", "memory": "memory traffic", "launch": "starting its operations"}[found.bound]
    text = f"{named} bounds it: {found.flops_per_byte:.3g} flops per byte, {found.predicted_ms:.3g} ms attainable"
    if found.measured_ms is None or found.gap_ms is None:
        return text
    text += f", {found.measured_ms:.3g} ms measured"
    if found.gap_ms <= 0:
        cached = "as fast as the roof or faster, so its operands stay in the cache"
        low = "as fast as the roof or faster, so the ceilings were measured too low: dyad ceilings --again"
        return f"{text}: {low if found.bound == 'compute' else cached}"
    parts = {
        "launches": found.gap_launches_ms,
        "copies": found.gap_copies_ms,
        "temporaries": found.gap_temporaries_ms,
        "the rest": found.gap_rest_ms,
    }
    known = [f"{name} {value:.2g} ms" for name, value in parts.items() if value is not None and abs(value) >= 5e-4]
    unknown = [name for name, value in parts.items() if value is None and name != "the rest"]
    text += f"; the gap of {found.gap_ms:.2g} ms"
    text += f" by estimate: {', '.join(known)}" if known else ""
    return text + (f" (not known: {', '.join(unknown)})" if unknown else "")
