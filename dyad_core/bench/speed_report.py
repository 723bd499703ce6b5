"""What a speed suite says: for each point and geometry, where ``auto`` stands, against whom, and whether a target is met.

Everything is read from the runs, so a committed result file and a fresh one are reported alike. ``auto`` is what the
record says it took when it was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dyad_core.bench.candidates import DENSE
from dyad_core.bench.disturbance import is_disturbed
from dyad_core.bench.reading import PASS_NAMES
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.spec import PEERS, Pass
from dyad_core.bench.speed_targets import Target, target_of
from dyad_core.bench.statistics import Speedup, paired_speedup
from dyad_core.geometry import Variant

__all__ = ["Rival", "Standing", "point_name", "standings", "summary", "text_lines"]

COMPARED: tuple[Variant, ...] = ("it", "ot", "dt")
RIVALS = ("original", "original_feature_major")
SHORT = {
    "original": "original",
    "original_feature_major": "feature-major",
    "low_rank": "low-rank",
    "monarch": "Monarch",
}


@dataclass(frozen=True)
class Rival:
    """One that ``auto`` is compared with: ``lead`` is how many times faster auto is, paired by round."""

    name: str
    candidate: Candidate
    lead: Speedup

    @property
    def is_ahead(self) -> bool:
        """Whether this one is faster, beyond the interval."""
        return self.lead.high < 1.0

    @property
    def seems_ahead(self) -> bool:
        """Whether its median is faster, though the interval leaves it open."""
        return self.lead.estimate < 1.0 <= self.lead.high


@dataclass(frozen=True)
class Standing:
    """Where ``auto`` stands at one variant and n of one run and pass."""

    run: BenchmarkRun
    auto: Candidate
    rivals: tuple[Rival, ...]
    others: tuple[Candidate, ...]
    """Our other implementations of the same geometry."""
    block_diagonal: Candidate | None
    """BLOCKDIAG alone, which has half of the weights: no rival, but a bound."""
    target: tuple[Target, float] | None

    @property
    def ahead(self) -> list[Rival]:
        """Who is faster beyond the interval."""
        return [rival for rival in self.rivals if rival.is_ahead]

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        value = self.target[0].value(self.auto)
        return value is not None and value >= self.target[1]


def standings(run: BenchmarkRun) -> Iterator[Standing]:
    """Yield one for each pass, n and variant of a run in which ``auto`` has a speed; never ``bd``."""
    for pass_ in run.spec.passes:
        here = [each for each in run.candidates if each.pass_ == pass_]
        for n in run.spec.n_blocks:
            for variant in COMPARED:
                ours = [each for each in here if (each.variant, each.n_blocks) == (variant, n)]
                auto = next((each for each in ours if each.chosen_by_auto and each.samples_ms), None)
                if auto is not None:
                    yield _standing(run, auto, ours, here)


def _standing(run: BenchmarkRun, auto: Candidate, ours: list[Candidate], here: list[Candidate]) -> Standing:
    named = [(DENSE, each) for each in here if each.variant == DENSE]
    named += [(SHORT[each.implementation], each) for each in ours if each.implementation in RIVALS and each is not auto]
    named += [(SHORT[each.variant], each) for each in here if each.variant in PEERS and each.n_blocks == auto.n_blocks]
    bound = run.critical_value(auto.pass_)
    rivals = [
        Rival(name, each, paired_speedup(each.samples_ms, auto.samples_ms, critical_value=bound))
        for name, each in named
        if len(each.samples_ms) == len(auto.samples_ms)
    ]
    bare = [each for each in here if (each.variant, each.n_blocks) == ("bd", auto.n_blocks) and each.speedup]
    return Standing(
        run=run,
        auto=auto,
        rivals=tuple(rivals),
        others=tuple(each for each in ours if each is not auto and each.implementation not in RIVALS and each.speedup),
        block_diagonal=max(bare, key=lambda each: each.speedup or 0.0, default=None),
        target=target_of(run.spec, run.environment, auto),
    )


def point_name(run: BenchmarkRun, pass_: Pass) -> str:
    """Sizes, tokens, dtype and pass in a few words."""
    spec = run.spec
    sizes = f"{spec.in_features}→{spec.out_features}"
    if spec.module == "feed_forward":
        sizes = f"feed-forward {sizes}→{spec.in_features}"
    emulated = " (emulated)" if run.environment.dtype_emulated else ""
    tokens = "1 token" if spec.tokens == 1 else f"{spec.tokens} tokens"
    return f"{sizes}, {tokens}, {spec.dtype}{emulated}, {PASS_NAMES[pass_]}"


def text_lines(run: BenchmarkRun) -> Iterator[str]:
    """The lines for a terminal of one run: speed-ups over dense, and what has to be said about them."""
    for pass_ in run.spec.passes:
        dense = run.dense(pass_)
        took = "no speed" if dense.median_ms is None else f"dense {dense.median_ms:.4g} ms"
        rounds = f", {len(dense.samples_ms)} rounds" if dense.samples_ms else ""
        disturbed = "  DISTURBED" if is_disturbed(run, pass_) else ""
        rotated = f", {dense.weight_copies} copies of its weights in turn" if dense.weight_copies > 1 else ""
        yield f"{point_name(run, pass_)}: {took}{rounds}{rotated}{disturbed}"
        yield from (_line(standing) for standing in standings(run) if standing.auto.pass_ == pass_)
        missing = {each.variant: each.detail for each in run.candidates if each.outcome == "unsupported"}
        yield from (f"  {name} was not measured: {why}" for name, why in missing.items())


def _line(standing: Standing) -> str:
    auto = standing.auto
    found = [f"  {auto.label:8} auto={auto.implementation:10} {_times(auto)}"]
    if auto.pass_ == "decode" and auto.speedup:
        found.append(f"reads {1 / auto.limit:.0%} of the weights in {1 / auto.speedup:.0%} of the time")
    found += [f"{rival.name} {rival.candidate.speedup:.2f}" for rival in standing.rivals if rival.name != DENSE]
    found += [f"{other.implementation} {other.speedup:.2f}" for other in standing.others]
    if standing.block_diagonal is not None:
        found.append(f"bd alone, with half the weights, {standing.block_diagonal.speedup:.2f}")
    return " · ".join(found) + "".join(f"\n    ! {remark}" for remark in remarks(standing))


def _times(candidate: Candidate) -> str:
    share = f"{candidate.share_of_limit:.0%} of {candidate.limit:g}x" if candidate.share_of_limit else ""
    return f"{candidate.speedup:.2f}x [{candidate.speedup_low:.2f}–{candidate.speedup_high:.2f}] {share}"


def remarks(standing: Standing) -> Iterator[str]:
    """What has to be said about one standing: who is ahead, and a target that is missed."""
    ahead = [f"{rival.name} is {1 / rival.lead.estimate:.2f}x as fast as auto" for rival in standing.ahead]
    if ahead:
        yield f"not first: {', '.join(ahead)}"
    open_ = [rival.name for rival in standing.rivals if rival.seems_ahead]
    if open_:
        yield f"not first by the median, within the interval: {', '.join(open_)}"
    if standing.target is not None and not standing.is_met:
        target, wanted = standing.target
        yield f"target missed: {_value(target, target.value(standing.auto))} of {_value(target, wanted)} ({target.name})"


def _value(target: Target, value: float | None) -> str:
    if value is None:
        return "nothing"
    return f"{value:.0%}" if target.quantity == "share" else f"{value:.2f}x"


def summary(runs: Sequence[BenchmarkRun]) -> list[str]:
    """The last lines: how many standings are first, which targets are met, which points were disturbed."""
    found = [standing for run in runs for standing in standings(run)]
    behind = [standing for standing in found if standing.ahead]
    slower = {name: sum(any(rival.name == SHORT[name] for rival in each.ahead) for each in found) for name in RIVALS}
    lines = [
        f"{len(found)} standings of auto at {len(runs)} points: first in {len(found) - len(behind)}, "
        f"behind someone beyond the interval in {len(behind)}, behind the original formulation in "
        + ", ".join(f"{count} ({SHORT[name]})" for name, count in slower.items())
    ]
    for name in dict.fromkeys(each.target[0].name for each in found if each.target):
        mine = [each for each in found if each.target and each.target[0].name == name]
        met = sum(bool(each.is_met) for each in mine)
        lines.append(f"target reached by {met} of {len(mine)}: {name}")
    disturbed = [run for run in runs if is_disturbed(run)]
    if disturbed:
        lines.append(f"{len(disturbed)} of {len(runs)} points were disturbed by other work and say little")
    return lines
