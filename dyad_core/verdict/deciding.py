"""From a finished run to a verdict: a pure function of data, the same wherever it is asked.

Run ``python -c "from dyad_core.bench.reference import reference_runs as r; from dyad_core.verdict import decide;
print(decide(next(iter(r().values()))[0]).sentence)"`` for the verdict of a bundled run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dyad_core.bench.results import BenchmarkRun
from dyad_core.bench.spec import Pass
from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.verdict.cautions import caveats, warnings_of
from dyad_core.verdict.passes import combined, pass_verdict
from dyad_core.verdict.quality import quality_of, within_loss
from dyad_core.verdict.reach import check_chain_holds, reach_of
from dyad_core.verdict.records import DECISIONS, Conditions, Decision, PassVerdict, Place, Verdict
from dyad_core.verdict.rivals import Rival, find
from dyad_core.verdict.wording import conditions_text, quality_clause, sentence

__all__ = ["decide", "number_problems", "verdicts"]

LARGEST_SPEEDUP = 1000.0


def decide(
    run: BenchmarkRun,
    *,
    variant: Variant | None = None,
    n_blocks: int | None = None,
    grain: int | None = None,
    implementation: str | None = None,
    passes: Sequence[Pass] | None = None,
    run_id: str | None = None,
    address: str | None = None,
    origin: str = "local",
    required_speedup: float = 1.0,
    max_loss: float | None = None,
    chain: Sequence[DyadGeometry] | None = None,
) -> Verdict:
    """Return the verdict on one candidate of a run: the one that is named, or the best of those that fit.

    Args:
        run: what was measured.
        variant, n_blocks, grain, implementation: which candidate; None takes any. ``"auto"`` is what it took in each pass.
        passes: what it is to be used for; None takes every pass of the run.
        run_id: what the run is called where it is kept; without one it is named by its request and start.
        address: where it can be looked at.
        origin: ``"local"``, ``"imported"`` or ``"reference"``.
        required_speedup: what the 95 % interval has to lie above for a swap; below 1 a loss is accepted, for memory's sake.
        max_loss: largest loss of published quality that is accepted, as a share of dense; None does not ask.
        chain: the layers it will work with and their order, the measured one among them; None takes its way back.

    Raises:
        SpecError: the run measured no such candidate or pass, or a number is out of range.
    """
    found = verdicts(
        run,
        variant=variant,
        n_blocks=n_blocks,
        grain=grain,
        implementation=implementation,
        passes=passes,
        run_id=run_id,
        address=address,
        origin=origin,
        required_speedup=required_speedup,
        max_loss=max_loss,
        chain=chain,
    )
    return found[0]


def verdicts(
    run: BenchmarkRun,
    *,
    variant: Variant | None = None,
    n_blocks: int | None = None,
    grain: int | None = None,
    implementation: str | None = None,
    passes: Sequence[Pass] | None = None,
    run_id: str | None = None,
    address: str | None = None,
    origin: str = "local",
    required_speedup: float = 1.0,
    max_loss: float | None = None,
    chain: Sequence[DyadGeometry] | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts on all candidates that fit, best first; arguments and errors as of :func:`decide`.

    Better is the better decision, then a layer that connects everything, then the higher lower bound of the speed-up in
    the pass where that is lowest. The ablation ``bd``, which is no DYAD, comes behind everything else.
    """
    problems = [*number_problems(required_speedup, max_loss), *_pass_problems(run, passes)]
    try:
        wanted = {"variant": variant, "n_blocks": n_blocks, "grain": grain, "implementation": implementation}
        fitting = find(run, **wanted)
    except SpecError as error:
        raise SpecError([*problems, *error.problems]) from error
    if problems:
        raise SpecError(problems)
    asked = run.spec.passes if passes is None else tuple(dict.fromkeys(passes))
    identity = run_id or f"{run.spec.digest()[:12]} of {run.created_at}"
    common = (asked, identity, address, origin, float(required_speedup), max_loss, chain)
    return tuple(sorted((_verdict(run, rival, *common) for rival in fitting), key=_rank))


def _verdict(
    run: BenchmarkRun,
    rival: Rival,
    passes: tuple[Pass, ...],
    identity: str,
    address: str | None,
    origin: str,
    required_speedup: float,
    max_loss: float | None,
    chain: Sequence[DyadGeometry] | None,
) -> Verdict:
    geometry = rival.geometry(run)
    check_chain_holds(chain, geometry)
    judged = tuple(pass_verdict(run, pass_, rival.candidates.get(pass_), required_speedup) for pass_ in passes)
    quality = quality_of(geometry)
    shown = within_loss(quality, max_loss)
    decision, depends_on = _decision(judged, quality_shown=shown)
    reach, structural = reach_of(geometry, run.spec.module, chain)
    conditions = _conditions(run, passes, origin)
    place = _place(run, rival)
    named = place.label if len(run.spec.implementations) == 1 else f"{place.label} ({place.implementation})"
    return Verdict(
        geometry=place,
        conditions=conditions,
        required_speedup=required_speedup,
        max_loss=max_loss,
        decision=decision,
        depends_on=depends_on,
        passes=judged,
        reach=reach,
        quality=quality,
        warnings=warnings_of(run, rival, passes, origin, structural),
        sentence=sentence(
            decision,
            depends_on,
            named,
            conditions.text,
            judged,
            required_speedup,
            "" if max_loss is None else quality_clause(quality, max_loss, shown=shown),
            caveats(run, passes, origin, reach),
            address or identity,
        ),
        evidence=(identity,),
        address=address,
    )


def _decision(judged: tuple[PassVerdict, ...], *, quality_shown: bool) -> tuple[Decision, str]:
    """The decision of all passes, and what it depends on. Quality can hold back a gain, and speaks for no loss."""
    decision = combined([each.decision for each in judged])
    if decision == "depends":
        return decision, "the pass" if quality_shown else "the pass and quality"
    if decision == "swap" and not quality_shown:
        return "depends", "quality"
    return decision, ""


def _place(run: BenchmarkRun, rival: Rival) -> Place:
    dense = [each.parameters for each in run.candidates if each.variant == "dense"]
    geometry, layers = rival.geometry(run), 2 if run.spec.module == "feed_forward" else 1
    return Place(
        in_features=run.spec.in_features,
        out_features=run.spec.out_features,
        module=run.spec.module,
        variant=rival.variant,
        n_blocks=rival.n_blocks,
        grain=rival.grain,
        label=rival.first.label,
        implementation=rival.implementation,
        parameters=rival.first.parameters,
        dense_parameters=dense[0] if dense else geometry.dense_parameters * layers,
    )


def _conditions(run: BenchmarkRun, passes: tuple[Pass, ...], origin: str) -> Conditions:
    spec, environment = run.spec, run.environment
    return Conditions(
        device=environment.device,
        device_name=environment.device_name,
        origin=origin,
        dtype=environment.dtype,
        dtype_emulated=environment.dtype_emulated,
        passes=passes,
        tokens=spec.tokens,
        threads=environment.threads,
        float32_matmul_precision=spec.float32_matmul_precision,
        compile=spec.compile,
        cuda_graph=spec.cuda_graph,
        cache=spec.cache,
        optimizer=spec.optimizer,
        allocator=spec.allocator,
        n_seeds=spec.n_seeds,
        torch_version=environment.torch_version,
        measured_at=run.created_at,
        text=conditions_text(run),
    )


def _rank(verdict: Verdict) -> tuple[bool, int, bool, float]:
    lows = [each.time.speedup_low for each in verdict.passes if each.time is not None]
    holes = verdict.reach is not None and not verdict.reach.full
    return verdict.geometry.variant == "bd", DECISIONS.index(verdict.decision), holes, -min(lows, default=0.0)


def number_problems(required_speedup: Any, max_loss: Any) -> list[Problem]:
    """What is wrong with the two numbers of a verdict; empty when nothing is."""
    problems = []
    if not _within(required_speedup, 0.0, LARGEST_SPEEDUP) or required_speedup == 0:
        rule = f"must be a number above 0 and at most {LARGEST_SPEEDUP:.0f}"
        problems.append(
            Problem("required_speedup", rule, required_speedup, "1.0 asks for any gain, 1.2 for a fifth more")
        )
    if max_loss is not None and not _within(max_loss, 0.0, 1.0):
        problems.append(Problem("max_loss", "must be a share from 0 to 1", max_loss, "0.05 accepts a loss of 5 %"))
    return problems


def _pass_problems(run: BenchmarkRun, passes: Any) -> list[Problem]:
    if passes is None:
        return []
    there = ", ".join(run.spec.passes)
    if isinstance(passes, str) or not isinstance(passes, list | tuple) or not passes:
        return [Problem("passes", "must be a list of at least one pass", passes, f"this run measured {there}")]
    return [
        Problem("passes", "must be among those that this run measured", each, f"it measured {there}")
        for each in passes
        if each not in run.spec.passes
    ]


def _within(value: Any, low: float, high: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and low <= value <= high
