"""Run the speed suite: look whether the machine is quiet, measure point by point into one file, repeat what was disturbed.

The file is written anew after each point, so an interruption loses one; a full grid goes on from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from dyad_core._version import __version__
from dyad_core.bench.disturbance import is_disturbed, others_share
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.results import BenchmarkRun
from dyad_core.bench.spec import Allocator, BenchmarkSpec
from dyad_core.bench.speed_report import summary, text_lines
from dyad_core.bench.speed_suite import Point, cost_s, full_grid, points, rate
from dyad_core.errors import BenchmarkError

__all__ = ["MOST_TOTAL_S", "SpeedOptions", "measure_points", "run_speed", "wait_for_quiet"]

MOST_TOTAL_S = 30 * 60.0
"""The short list drops points without a target when the machine is too slow to finish in this time."""

BUSY_SHARE, LOOK_S, WAIT_S = 0.1, 2.0, 60.0

Say = Callable[[str], None]
Run = Callable[[BenchmarkSpec], BenchmarkRun]


@dataclass(frozen=True)
class SpeedOptions:
    """What both command lines offer.

    Attributes:
        device: where to measure.
        out: the result file.
        quick: tiny points, to try the path.
        full: the whole grid, going on from ``out``.
        resume: go on from ``out`` with the short list too.
        anyway: measure on a busy machine; disturbed points are marked.
        allocator: how the measuring process keeps its memory.
        more: further implementations to measure beside.
    """

    device: str
    out: Path
    quick: bool = False
    full: bool = False
    resume: bool = False
    anyway: bool = False
    allocator: Allocator = "default"
    more: tuple[str, ...] = field(default=())


def run_speed(options: SpeedOptions, *, say: Say, run: Run = run_benchmark) -> int:
    """Measure the suite, report every point, and return the exit code: 0 done, 1 some point failed or machine busy.

    Raises:
        SpecError: the device, an implementation or the file does not exist here.
    """
    if not options.anyway and not wait_for_quiet(say):
        return 1
    settings = {"allocator": options.allocator, "more": options.more}
    if options.full:
        wanted = full_grid(options.device, **settings)  # type: ignore[arg-type] # a Literal and a tuple
    else:
        wanted = points(options.device, quick=options.quick, **settings)  # type: ignore[arg-type] # as above
    speed = rate(options.device)
    if not options.full:
        wanted = within(wanted, speed, say)
    known = resumed(options.out, wanted) if options.full or options.resume else {}
    if known:
        say(f"{len(known)} of {len(wanted)} points are in {options.out} already")
    failed = measure_points([point.spec for point in wanted], known, options.out, speed, say=say, run=run)
    runs = [known[point.spec] for point in wanted if point.spec in known]
    for line in summary(runs):
        say(line)
    say(
        f"{len(runs)} of {len(wanted)} points are in {options.out}"
        if runs
        else "no point succeeded; no file was written"
    )
    return 1 if failed else 0


def measure_points(
    specs: Sequence[BenchmarkSpec],
    known: dict[BenchmarkSpec, BenchmarkRun],
    out: Path,
    speed: float,
    *,
    say: Say,
    run: Run = run_benchmark,
) -> int:
    """Measure what is not known into ``known`` and ``out``, then once more what was disturbed; return the failures."""
    failed = 0
    missing = [spec for spec in specs if spec not in known]
    for again in (False, True):
        if again:
            missing = [spec for spec in missing if spec in known and is_disturbed(known[spec])]
            if missing:
                say(f"{len(missing)} points were disturbed and are measured once more")
        clock = Remaining([cost_s(spec, speed) for spec in missing])
        for number, spec in enumerate(missing):
            say(f"[{number + 1}/{len(missing)}] {clock.text(number)}")
            try:
                measured = run(spec)
            except BenchmarkError as error:
                failed += not again
                say(f"  {str(error).splitlines()[0]}")
                continue
            if not again or not is_disturbed(measured):
                known[spec] = measured
            clock.took(number)
            save_runs(out, [known[each] for each in specs if each in known])
            for line in text_lines(measured):
                say(line)
    return failed


class Remaining:
    """Says how long the rest will take: the estimates, corrected by what the points so far really took."""

    def __init__(self, estimates_s: Sequence[float]) -> None:
        """Begin now."""
        self.estimates_s = estimates_s
        self.start = time.monotonic()
        self.correction = 1.0

    def took(self, number: int) -> None:
        """The points up to ``number`` are done."""
        expected = sum(self.estimates_s[: number + 1])
        self.correction = (time.monotonic() - self.start) / expected if expected else 1.0

    def text(self, number: int) -> str:
        """About how long from point ``number`` on."""
        return f"about {minutes(self.correction * sum(self.estimates_s[number:]))} left"


def within(wanted: list[Point], speed: float, say: Say) -> list[Point]:
    """The points that fit into the time for the short list: those with a target always, the others as room is left."""
    spent = sum(cost_s(point.spec, speed) for point in wanted if point.required)
    kept = []
    for point in wanted:
        cost = cost_s(point.spec, speed)
        if point.required:
            kept.append(point)
        elif spent + cost <= MOST_TOTAL_S:
            kept.append(point)
            spent += cost
    say(f"{len(kept)} points, about {minutes(spent)}; leave the machine alone meanwhile")
    if len(kept) < len(wanted):
        say(f"{len(wanted) - len(kept)} points without a target are left out: this machine needs too long for them")
    return kept


def resumed(out: Path, wanted: Sequence[Point]) -> dict[BenchmarkSpec, BenchmarkRun]:
    """What an earlier run of the same versions left in the file, of the points that are wanted.

    Raises:
        SpecError: the file is there and is no result file.
    """
    if not out.exists():
        return {}
    versions = (str(torch.__version__), __version__)
    specs = {point.spec for point in wanted}
    return {
        run.spec: run
        for run in load_runs(out)
        if run.spec in specs and (run.environment.torch_version, run.environment.dyad_version) == versions
    }


def wait_for_quiet(say: Say, *, look_s: float = LOOK_S, wait_s: float = WAIT_S) -> bool:
    """Look whether others keep our processors busy, wait a while if they do, and return whether it is quiet."""
    end = time.monotonic() + wait_s
    said = False
    while True:
        share = others_share(look_s)
        if share is None or share <= BUSY_SHARE:
            return True
        if time.monotonic() >= end:
            say(
                f"other work still keeps {share:.0%} of the processors busy, and figures taken beside it would mislead. "
                "Stop it and try again; --anyway measures all the same and marks what was disturbed."
            )
            return False
        if not said:
            say(f"other work keeps {share:.0%} of the processors busy; waiting up to {wait_s:.0f} s for it to end")
            said = True


def minutes(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
