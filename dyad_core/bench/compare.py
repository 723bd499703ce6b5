"""Two or more runs side by side: first what differs between them, then the candidates they share.

Everything is computed from the raw samples and from what the records hold, without chance, so that a run that was exported
on one machine and imported on another compares to the same figures to the last digit.

Run ``dyad runs compare FIRST SECOND``, or in Python ``compare(load_runs("first.json") + load_runs("second.json"))``.
"""

from __future__ import annotations

import dataclasses
import json
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar, Literal

from dyad_core.bench.comparability import Difference, Pair, differences, pair, pass_reason
from dyad_core.bench.independent import METHOD, Interval, ratio_of_figures, ratio_of_medians
from dyad_core.bench.results import BenchmarkRun, Candidate, Outcome
from dyad_core.bench.spec import Pass
from dyad_core.errors import Problem, SpecError
from dyad_core.ops.registry import AUTO

__all__ = ["MOST_RUNS", "ComparedCandidate", "Comparison", "Entry", "Finding", "Ratio", "Unmatched", "compare"]

MOST_RUNS = 8

Finding = Literal["faster", "slower", "not_distinguishable", "not_comparable"]
"""Of the other run against the first, by the interval of the ratio of their times."""

_WORDS: dict[Finding, str] = {
    "faster": "faster",
    "slower": "slower",
    "not_distinguishable": "not distinguishable",
    "not_comparable": "not comparable",
}

Key = tuple[Pass, str, int | None, int | None, str]


@dataclass(frozen=True)
class Entry:
    """A candidate in one run: its own figures. ``median_ms`` is that of the raw samples."""

    run: str
    implementation: str
    outcome: Outcome
    samples: int
    median_ms: float | None
    speedup: float | None
    speedup_low: float | None
    speedup_high: float | None
    share_of_limit: float | None


@dataclass(frozen=True)
class Ratio:
    """One run against the first: times, other / base, and speed-ups, other / base, each with its 95 % limits.

    What may not be compared is None, and ``reason`` says why. Limits are None below five samples.
    """

    base: str
    other: str
    time_ratio: float | None
    time_ratio_low: float | None
    time_ratio_high: float | None
    speedup_ratio: float | None
    speedup_ratio_low: float | None
    speedup_ratio_high: float | None
    finding: Finding
    reason: str = ""


@dataclass(frozen=True)
class ComparedCandidate:
    """A candidate that at least two runs hold; ``implementation`` is ``"auto"`` where it meant something else in each."""

    # "pass" is a Python keyword: the attribute is pass_, the JSON field is "pass".
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }

    label: str
    variant: str
    n_blocks: int | None
    grain: int | None
    implementation: str
    pass_: Pass
    entries: tuple[Entry | None, ...]
    """One per run, in their order; None where a run has no such candidate."""
    ratios: tuple[Ratio, ...]
    """Each other run that has it against the first that has it."""


@dataclass(frozen=True)
class Unmatched:
    """Candidates that no other run has."""

    run: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` finds; ``pairs`` holds each other run against the first."""

    names: tuple[str, ...]
    reading: str
    differences: tuple[Difference, ...]
    pairs: tuple[Pair, ...]
    candidates: tuple[ComparedCandidate, ...]
    unmatched: tuple[Unmatched, ...]
    method: str = METHOD

    @property
    def comparable(self) -> bool:
        """Whether there is anything that may be compared."""
        return any(each.comparable != "nothing" for each in self.pairs) and bool(self.candidates)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, passes under their JSON name."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        for candidate in values["candidates"]:
            candidate["pass"] = candidate.pop("pass_")
        return values


def compare(runs: Sequence[BenchmarkRun], names: Sequence[str] | None = None) -> Comparison:
    """Compare two or more runs.

    Args:
        runs: 2 to 8; the others are held against the first.
        names: what to call them; letters from A on when not given.

    Raises:
        SpecError: too few or too many runs, or names that do not tell them apart.
    """
    called = _names(len(runs), names)
    pairs = tuple(pair(runs[0], run, (called[0], name)) for run, name in zip(runs[1:], called[1:], strict=True))
    found = [_keyed(run) for run in runs]
    count = Counter(key for keyed in found for key in keyed)
    keys = [key for key, times in count.items() if times > 1 and not _said_already(key, found)]
    table = _Table(runs, called, found)
    candidates = tuple(table.row(key) for key in keys)
    matched = {id(keyed[key]) for key in keys for keyed in found if key in keyed}
    unmatched = tuple(
        Unmatched(name, labels)
        for name, run in zip(called, runs, strict=True)
        if (labels := tuple(_full_label(each) for each in run.candidates if id(each) not in matched))
    )
    return Comparison(called, _reading(pairs, candidates), differences(runs), pairs, candidates, unmatched)


def _names(count: int, names: Sequence[str] | None) -> tuple[str, ...]:
    if not 2 <= count <= MOST_RUNS:
        raise SpecError([Problem("runs", f"must be 2 to {MOST_RUNS} runs", count)])
    called = tuple(string.ascii_uppercase[:count] if names is None else names)
    if len(called) != count or len(set(called)) != count:
        raise SpecError([Problem("names", f"must be {count} different names, one per run", list(called))])
    return called


def _keyed(run: BenchmarkRun) -> dict[Key, Candidate]:
    """The candidates of a run under what they are, and once more under "auto" where auto meant them; the first counts."""
    found: dict[Key, Candidate] = {}
    for each in run.candidates:
        for implementation in (each.implementation, *((AUTO,) if each.chosen_by_auto else ())):
            found.setdefault((each.pass_, each.variant, each.n_blocks, each.grain, implementation), each)
    return found


def _said_already(key: Key, found: Sequence[dict[Key, Candidate]]) -> bool:
    """Whether "auto" meant one and the same implementation in all runs that have it, which then has a row of its own."""
    return key[-1] == AUTO and len({keyed[key].implementation for keyed in found if key in keyed}) == 1


class _Table:
    """Makes the rows."""

    def __init__(
        self, runs: Sequence[BenchmarkRun], names: tuple[str, ...], found: Sequence[dict[Key, Candidate]]
    ) -> None:
        self._runs, self._names, self._found = runs, names, found

    def row(self, key: Key) -> ComparedCandidate:
        holders = [index for index, keyed in enumerate(self._found) if key in keyed]
        one = self._found[holders[0]][key]
        entries = tuple(
            _entry(keyed[key], name) if key in keyed else None
            for keyed, name in zip(self._found, self._names, strict=True)
        )
        ratios = tuple(self._ratio(key, holders[0], other) for other in holders[1:])
        pass_, variant, n_blocks, grain, implementation = key
        return ComparedCandidate(one.label, variant, n_blocks, grain, implementation, pass_, entries, ratios)

    def _ratio(self, key: Key, base: int, other: int) -> Ratio:
        names = (self._names[base], self._names[other])
        runs = (self._runs[base], self._runs[other])
        judged = pair(*runs, names)
        reason = pass_reason(*runs, key[0], names)
        first, second = self._found[base][key], self._found[other][key]
        if judged.comparable == "nothing":
            reason = judged.reasons[0]
        elif not reason and not (first.samples_ms and second.samples_ms):
            timeless = names[0] if not first.samples_ms else names[1]
            reason = f"{timeless} has no times of this candidate."
        if reason:
            return Ratio(*names, None, None, None, None, None, None, "not_comparable", reason)
        speedups = _speedup_ratio(first, second)
        if judged.comparable == "speedups":
            return Ratio(*names, None, None, None, *_figures(speedups), "not_comparable", judged.reasons[0])
        times = ratio_of_medians(second.samples_ms, first.samples_ms)
        reason = "" if times.low is not None else "Fewer than five samples: there is no interval."
        return Ratio(*names, *_figures(times), *_figures(speedups), _finding(times), reason)


def _entry(candidate: Candidate, run: str) -> Entry:
    return Entry(
        run=run,
        implementation=candidate.implementation,
        outcome=candidate.outcome,
        samples=len(candidate.samples_ms),
        median_ms=median(candidate.samples_ms) if candidate.samples_ms else None,
        speedup=candidate.speedup,
        speedup_low=candidate.speedup_low,
        speedup_high=candidate.speedup_high,
        share_of_limit=candidate.share_of_limit,
    )


def _speedup_ratio(first: Candidate, second: Candidate) -> Interval | None:
    if first.speedup is None or second.speedup is None or first.variant == "dense":
        return None
    return ratio_of_figures(
        Interval(second.speedup, second.speedup_low, second.speedup_high),
        Interval(first.speedup, first.speedup_low, first.speedup_high),
    )


def _figures(found: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)


def _finding(times: Interval) -> Finding:
    if times.low is None or times.high is None or times.low <= 1.0 <= times.high:
        return "not_distinguishable"
    return "faster" if times.high < 1.0 else "slower"


def _full_label(candidate: Candidate) -> str:
    return f"{candidate.label} ({candidate.implementation}), {candidate.pass_}"


def _reading(pairs: Sequence[Pair], candidates: Sequence[ComparedCandidate]) -> str:
    said = []
    for each in pairs:
        found = Counter(ratio.finding for row in candidates for ratio in row.ratios if ratio.other == each.other)
        if each.comparable == "all" and found:
            counts = ", ".join(f"{found[name]} {words}" for name, words in _WORDS.items() if found[name])
            said.append(f"{each.other} against {each.base}, by their times: {counts}, of {found.total()} candidates.")
        elif each.comparable != "nothing" and not found:
            said.append(f"{each.other} and {each.base} have no candidate in common.")
        said += each.reasons
    return " ".join(said)
