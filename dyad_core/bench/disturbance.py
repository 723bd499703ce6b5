"""Was the measurement alone? Processor time that others took on our processors while it was timed.

A busy neighbour changes figures by more than most candidates differ, and interleaving does not rescue them:
threads that wait for each other punish many small products more than one large. So it is said with the result.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from dyad_core.bench.machine import usable_cpus

__all__ = ["Disturbance"]

STAT = Path("/proc/stat")
# Columns of a cpu line: user nice system idle iowait irq softirq steal; guest time is inside user already.
BUSY_COLUMNS = (0, 1, 2, 5, 6, 7)
# Counters tick 100 times a second, so shorter stretches say nothing.
SHORTEST_S = 0.5
DISTURBED_SHARE = 0.1


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
    others = max(0.0, (end.busy_s - start.busy_s) - (end.own_s - start.own_s)) / elapsed
    if others <= DISTURBED_SHARE * cpus:
        return None
    return (
        f"disturbed: other work kept {others:.1f} of {cpus} processors busy while this was timed; "
        "repeat it on a quiet machine before trusting the figures"
    )
