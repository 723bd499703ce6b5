"""What no measurement of a model can have said, though every field is of its type: a file that holds it is damaged or made up."""

from __future__ import annotations

from collections.abc import Iterator

from dyad_core.bench.plausibility import COMPARED, LEAST, MOST, wrong_moment
from dyad_core.errors import Problem
from dyad_core.models.records import ModelCandidate, ModelRun, PartTime

__all__ = ["implausible"]

SPEEDUP = ("speedup", "speedup_low", "speedup_high")


def implausible(run: ModelRun) -> Iterator[Problem]:
    """Every contradiction in a run."""
    yield from wrong_moment(run.created_at)
    for pass_ in run.spec.passes:
        twins = sum(each.variant == "dense" and each.pass_ == pass_ for each in run.candidates)
        if twins != 1:
            yield Problem("candidates", f"must hold one dense model of the pass {pass_}", f"{twins} of them")
    for index, candidate in enumerate(run.candidates):
        where = f"candidates.{index}"
        if candidate.pass_ not in run.spec.passes:
            yield Problem(f"{where}.pass", f"must be among {', '.join(run.spec.passes)}", candidate.pass_)
        yield from _times(candidate, where)
        yield from _contradictions(candidate, where)
    for index, part in enumerate(run.parts):
        yield from _times(part, f"parts.{index}")


def _times(record: ModelCandidate | PartTime, where: str) -> Iterator[Problem]:
    rule = f"must lie between {LEAST:g} and {MOST:g} milliseconds"
    bad = next((number for number, sample in enumerate(record.samples_ms) if not LEAST <= sample <= MOST), None)
    if bad is not None:
        yield Problem(f"{where}.samples_ms.{bad}", rule, record.samples_ms[bad])
    for name in ("median_ms", "q1_ms", "q3_ms"):
        value = getattr(record, name)
        if value is not None and not LEAST <= value <= MOST:
            yield Problem(f"{where}.{name}", rule, value)


def _contradictions(candidate: ModelCandidate, where: str) -> Iterator[Problem]:
    timed = candidate.outcome in ("measured", *COMPARED)
    if timed != (candidate.median_ms is not None):
        rule = f"must be {'a time' if timed else 'null'} where the outcome is {candidate.outcome}"
        yield Problem(f"{where}.median_ms", rule, candidate.median_ms)
    if timed and not candidate.samples_ms:
        yield Problem(f"{where}.samples_ms", f"must not be empty where the outcome is {candidate.outcome}", [])
    given = [getattr(candidate, name) for name in SPEEDUP]
    if any(value is None for value in given) != all(value is None for value in given):
        yield Problem(
            f"{where}.speedup", f"must come with {', '.join(SPEEDUP[1:])}, or none of them", candidate.speedup
        )
    elif candidate.outcome in COMPARED and candidate.speedup is None:
        yield Problem(f"{where}.speedup", f"must be given where the outcome is {candidate.outcome}", None)
    for name, value in zip(SPEEDUP, given, strict=True):
        if value is not None and not 0 < value <= MOST:
            yield Problem(f"{where}.{name}", f"must be above 0 and at most {MOST:g}", value)
    low, high = candidate.speedup_low, candidate.speedup_high
    if low is not None and high is not None and low > high:
        yield Problem(f"{where}.speedup_low", "must be at most speedup_high", low)
