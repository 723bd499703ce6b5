"""Was the measurement alone? Processor time that others took on our processors while it was timed.

A busy neighbour changes figures by more than most candidates differ, and interleaving does not rescue them:
threads that wait for each other punish many small products more than one large. So it is said with the result.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dyad_core.bench.machine import usable_cpus

if TYPE_CHECKING:
    from dyad_core.bench.results import BenchmarkRun
    from dyad_core.bench.spec import Pass

__all__ = ["DISTURBED", "Disturbance", "Moment", "is_disturbed", "now", "others_between", "others_share"]

STAT = Path("/proc/stat")
# Columns of a cpu line: user nice system idle iowait irq softirq steal; guest time is inside user already.
BUSY_COLUMNS = (0, 1, 2, 5, 6, 7)
# Counters tick 100 times a second, so shorter stretches say nothing.
SHORTEST_S = 0.5
DISTURBED_SHARE = 0.1
"""Of our processors: what others may take before a measurement is called disturbed."""

DISTURBED = "disturbed:"
"""How the sentence of a disturbance begins, wherever it is written."""


@dataclass(frozen=True)
class Moment:
    """Clock, busy time of our processors by everyone, and processor time of this process: all in seconds."""

    clock_s: float
    busy_s: float
    own_s: float


class Disturbance:
    """Watches from its creation to :meth:`warning`."""

    def __init__(self) -> None:
        """Begin."""
        self.cpus = usable_cpus()
        self.start = now(self.cpus)

    def warning(self) -> str | None:
        """Return a sentence when others took a noticeable share of our processors since the start, else None."""
        end = now(self.cpus)
        if self.start is None or end is None:
            return None
        return disturbed(self.start, end, len(self.cpus))


def is_disturbed(run: BenchmarkRun, pass_: Pass | None = None) -> bool:
    """Whether a run, or one pass of it, says that other work disturbed it."""
    begin = "" if pass_ is None else f"{pass_}: "
    return any(warning.startswith(begin) and DISTURBED in warning for warning in run.warnings)


def others_share(seconds: float) -> float | None:
    """Watch for a while: the share of our processors that others keep busy, 0 to 1; None where it cannot be read."""
    cpus = usable_cpus()
    start = now(cpus)
    time.sleep(seconds)
    end = now(cpus)
    return None if start is None or end is None else others_between(start, end) / len(cpus)


def others_between(start: Moment, end: Moment) -> float:
    """How many processors others kept busy between two moments, on average."""
    return max(0.0, (end.busy_s - start.busy_s) - (end.own_s - start.own_s)) / (end.clock_s - start.clock_s)


def now(cpus: frozenset[int]) -> Moment | None:
    """Read the counters; None where the system has none."""
    try:
        text = STAT.read_text(encoding="ascii")
    except OSError:
        return None
    return Moment(time.perf_counter(), busy_seconds(text, cpus, os.sysconf("SC_CLK_TCK")), time.process_time())


def busy_seconds(text: str, cpus: frozenset[int], ticks_per_second: int) -> float:
    """Seconds that the processors ``cpus`` were not idle since boot, from the text of ``/proc/stat``."""
    wanted = {f"cpu{cpu}" for cpu in cpus}
    ticks = 0
    for line in text.splitlines():
        name, *columns = line.split()
        if name in wanted:
            ticks += sum(int(columns[column]) for column in BUSY_COLUMNS if column < len(columns))
    return ticks / ticks_per_second


def disturbed(start: Moment, end: Moment, cpus: int) -> str | None:
    """Judge the stretch between two moments."""
    elapsed = end.clock_s - start.clock_s
    if elapsed < SHORTEST_S:
        return None
    others = others_between(start, end)
    if others <= DISTURBED_SHARE * cpus:
        return None
    return (
        f"{DISTURBED} other work kept {others:.1f} of {cpus} processors busy while this was timed; "
        "repeat it on a quiet machine before trusting the figures"
    )
