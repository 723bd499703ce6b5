"""What no measurement can have said, though every field is of its type: a file that holds it is damaged or made up.

Whoever reads a run may rely on it: a dense twin in every pass, an outcome that its figures bear out, figures within reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.errors import Problem

__all__ = ["implausible", "wrong_moment"]

LEAST, MOST = 1e-9, 1e12
"""Times in milliseconds and ratios outside of these were never measured: a femtosecond, three decades."""

FIRST_YEAR, LAST_YEAR = 2000, 9000
"""No measurement is older, and every moment of these years exists in every time zone."""

COMPARED = ("faster", "slower", "not_distinguishable")
SPEEDUP = ("speedup", "speedup_low", "speedup_high", "share_of_limit")


def wrong_moment(created_at: str) -> Iterator[Problem]:
    """What is wrong with the moment of a measurement, which services keep and compare in UTC."""
    try:
        moment = datetime.fromisoformat(created_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        rule = f"must be a moment with its time zone, ISO 8601, of the years {FIRST_YEAR} to {LAST_YEAR}"
        yield Problem("created_at", rule, created_at, "for example 2026-01-31T12:00:00+00:00")


def implausible(run: BenchmarkRun) -> Iterator[Problem]:
    """Every contradiction in a run."""
    yield from wrong_moment(run.created_at)
    for pass_ in run.spec.passes:
        twins = sum(each.variant == "dense" and each.pass_ == pass_ for each in run.candidates)
        if twins != 1:
            yield Problem("candidates", f"must hold one dense twin of the pass {pass_}", f"{twins} of them")
    for index, candidate in enumerate(run.candidates):
        where = f"candidates.{index}"
        if candidate.pass_ not in run.spec.passes:
            yield Problem(f"{where}.pass", f"must be among {', '.join(run.spec.passes)}", candidate.pass_)
        yield from _out_of_range(candidate, where)
        yield from _contradictions(candidate, where)


def _out_of_range(candidate: Candidate, where: str) -> Iterator[Problem]:
    rule = f"must lie between {LEAST:g} and {MOST:g}"
    bad = next((number for number, sample in enumerate(candidate.samples_ms) if not LEAST <= sample <= MOST), None)
    if bad is not None:
        yield Problem(f"{where}.samples_ms.{bad}", f"{rule} milliseconds", candidate.samples_ms[bad])
    for name in ("median_ms", "q1_ms", "q3_ms", *SPEEDUP, "limit"):
        value = getattr(candidate, name)
        if value is None or LEAST <= value <= MOST:
            continue
        if name in ("speedup_low", "speedup_high") and value > 0:
            continue  # a few wild samples make an interval of any width
        yield Problem(f"{where}.{name}", rule, value)


def _contradictions(candidate: Candidate, where: str) -> Iterator[Problem]:
    timed = candidate.outcome in ("measured", *COMPARED)
    if timed != candidate.has_speed:
        rule = f"must be {'a time' if timed else 'null'} where the outcome is {candidate.outcome}"
        yield Problem(f"{where}.median_ms", rule, candidate.median_ms)
    if timed and not candidate.samples_ms:
        yield Problem(f"{where}.samples_ms", f"must not be empty where the outcome is {candidate.outcome}", [])
    given = [getattr(candidate, name) is not None for name in SPEEDUP]
    if any(given) != all(given):
        yield Problem(
            f"{where}.speedup", f"must come with {', '.join(SPEEDUP[1:])}, or none of them", candidate.speedup
        )
    elif candidate.outcome in COMPARED and not all(given):
        yield Problem(f"{where}.speedup", f"must be given where the outcome is {candidate.outcome}", None)
    low, high = candidate.speedup_low, candidate.speedup_high
    if low is not None and high is not None and low > high:
        yield Problem(f"{where}.speedup_low", "must be at most speedup_high", low)
