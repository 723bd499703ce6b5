"""The warnings of a verdict, the gravest first: whose figures they are, what disturbed them, and what they do not say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dyad_core.bench.disturbance import DISTURBED
from dyad_core.bench.machine import EMULATION
from dyad_core.bench.reading import PASS_NAMES
from dyad_core.bench.results import BenchmarkRun
from dyad_core.bench.spec import Pass
from dyad_core.geometry import DyadGeometry
from dyad_core.structure.wording import percent
from dyad_core.verdict.records import Reach
from dyad_core.verdict.rivals import Rival

__all__ = ["caveats", "pass_name", "warnings_of"]

CONTROL = "dense_again"
ORIGINS = {
    "imported": "imported: measured on another machine, so this machine may come out differently",
    "reference": "a bundled reference run of another machine, so this machine may come out differently",
}


def pass_name(pass_: Pass) -> str:
    """What people call a pass."""
    return PASS_NAMES.get(pass_, pass_.replace("_", " "))


def caveats(run: BenchmarkRun, passes: Sequence[Pass], origin: str, reach: Reach | None) -> list[str]:
    """What belongs into the sentence itself, in a few words each."""
    found = []
    if origin != "local":
        found.append("measured on another machine")
    if any(DISTURBED in text for text in _said_of(run, passes)):
        found.append("disturbed by other work")
    if run.environment.dtype_emulated:
        found.append(f"{run.environment.dtype} emulated")
    if reach is not None and len(reach.layers) > 1 and not reach.full:
        pairs = percent(reach.reached_pairs, reach.total_pairs)
        found.append(f"these {len(reach.layers)} layers together connect only {pairs} of their pairs of features")
    return found


def warnings_of(
    run: BenchmarkRun, rival: Rival, passes: Sequence[Pass], origin: str, structural: Sequence[str]
) -> tuple[str, ...]:
    """Everything a reader of this verdict must know, each thing once.

    Args:
        passes: those that the verdict is about; warnings of other passes are left out.
        origin: ``"local"``, or where the run came from.
        structural: what the structure warns of.
    """
    found = [
        *([] if origin == "local" else [ORIGINS.get(origin, ORIGINS["imported"])]),
        *_of_the_run(run, passes),
        *_incomplete(run, rival, passes),
        *_control(run, passes),
        *(text for pass_ in passes if pass_ in rival.candidates for text in rival.candidates[pass_].warnings),
        *structural,
        _lossy(rival.geometry(run)),
    ]
    return tuple(dict.fromkeys(found))


def _of_the_run(run: BenchmarkRun, passes: Sequence[Pass]) -> Iterator[str]:
    """The run's own warnings, disturbances first, those of other passes left out."""
    relevant = _said_of(run, passes)
    yield from sorted(relevant, key=lambda text: DISTURBED not in text)
    emulation = EMULATION.format(dtype=run.environment.dtype)
    if run.environment.dtype_emulated and not any(emulation in text for text in relevant):
        yield emulation


def _said_of(run: BenchmarkRun, passes: Sequence[Pass]) -> list[str]:
    """The run's warnings that are of these passes or of the whole run."""
    others = tuple(f"{pass_}: " for pass_ in run.spec.passes if pass_ not in passes)
    return [text for text in run.warnings if not text.startswith(others)] if others else list(run.warnings)


def _incomplete(run: BenchmarkRun, rival: Rival, passes: Sequence[Pass]) -> Iterator[str]:
    for pass_ in passes:
        if pass_ not in rival.candidates:
            yield f"{pass_name(pass_)}: the run is incomplete, it holds no such pass of this candidate"
    for sampling in run.sampling:
        said = any(text.startswith(f"{sampling.pass_}: ") and "budget" in text for text in run.warnings)
        if (
            sampling.pass_ in passes
            and sampling.stopped != "target"
            and not said
            and sampling.widest_interval is not None
        ):
            reason = "its time budget was spent" if sampling.stopped == "budget" else "the most rounds were taken"
            yield (
                f"{pass_name(sampling.pass_)}: sampling stopped because {reason}; its widest interval is "
                f"±{100 * min(sampling.widest_interval, 10):.2g} % where ±{100 * sampling.target_interval:.2g} % was wished"
            )


def _control(run: BenchmarkRun, passes: Sequence[Pass]) -> Iterator[str]:
    for each in run.candidates:
        if each.variant == CONTROL and each.pass_ in passes and each.outcome in ("faster", "slower"):
            yield (
                f"{pass_name(each.pass_)}: the control, a second dense twin, came out at {each.speedup:.3f}x of the first; "
                "trust no difference of this run that is as small"
            )


def _lossy(geometry: DyadGeometry) -> str:
    error = math.sqrt(max(0.0, 1 - geometry.density))
    return (
        "this is about layers trained as DYAD: projecting a trained dense weight onto this pattern is lossy (relative error "
        f"{error:.2f} for an unstructured weight), so a model has to be trained again"
    )
