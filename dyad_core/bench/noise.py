"""What else went on while a run was measured: readings of the machine before, during and after, and their meaning in words.

Figures are worth what the machine's quiet is worth. The record keeps what was read, None where nothing can be read, and
:meth:`Noise.words` says what of it casts doubt on the figures.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dyad_core.bench.disturbance import DISTURBED, DISTURBED_SHARE, Moment, now, others_between
from dyad_core.bench.machine import usable_cpus
from dyad_core.bench.nvml import GpuReading, Nvml, nvml_for
from dyad_core.bench.records import read_record
from dyad_core.bench.sensors import cpu_mhz, cpu_temperature_c, load_average_1min, throttle_count

__all__ = ["Noise", "NoiseWatch", "Reading"]

TICK_S = 0.5
"""No two readings are nearer to each other: they cost some tenths of a millisecond."""

BEFORE_S = 0.2
"""How long the watch looks on before a measurement begins; the system's counters tick a hundred times a second."""

MOST_READINGS = 64
BURST_SHARE = 0.5
SLOWER_CLOCK = 0.8
BUSY_GPU = 0.1
SLOWDOWNS = ("hardware slowdown", "thermal slowdown by software", "thermal slowdown by hardware", "power brake")


@dataclass(frozen=True)
class Reading:
    """The machine at one moment; None where it does not tell.

    Attributes:
        at_s: seconds since the watch began.
        load_average_1min: processes that ran or waited, ourselves included.
        others_share: share of our processors that other work kept busy since the reading before, 0 to 1.
        cpu_mhz: clock rate of the fastest of our processors.
        temperature_c: of the processor, degrees Celsius.
        throttle_count: how often heat has slowed our processors since boot.
        gpu: on a CUDA request, what the GPU says.
    """

    at_s: float
    load_average_1min: float | None = None
    others_share: float | None = None
    cpu_mhz: float | None = None
    temperature_c: float | None = None
    throttle_count: int | None = None
    gpu: GpuReading | None = None


@dataclass(frozen=True)
class Noise:
    """Readings of one run.

    Attributes:
        processors: logical processors that the run might use.
        before: just before it began.
        during: while it ran, at most 64: of a long run neighbours are joined, and the more alarming figure stays.
        after: when it was over.
        others_share: share of our processors that other work kept busy from before to after, 0 to 1.
    """

    processors: int
    before: Reading
    during: tuple[Reading, ...]
    after: Reading
    others_share: float | None

    @property
    def is_disturbed(self) -> bool:
        """Whether anything casts doubt on the figures."""
        return bool(self.words())

    def words(self) -> list[str]:
        """One sentence for each disturbance; none when the machine was quiet, as far as can be read."""
        return [f"{DISTURBED} {text}" for text in (*self._neighbours(), *self._clocks(), *self._gpu())]

    def _neighbours(self) -> Iterator[str]:
        highest = max((each.others_share or 0.0 for each in self.during), default=0.0)
        load = self.before.load_average_1min
        if self.others_share is not None and self.others_share > DISTURBED_SHARE:
            busy = f"{self.others_share * self.processors:.1f} of {self.processors} processors"
            yield f"other work kept {busy} busy while this was measured"
        elif highest > BURST_SHARE:
            yield f"for a moment other work kept {highest * self.processors:.1f} of {self.processors} processors busy"
        elif self.others_share is None and load is not None and load > self.processors:
            yield f"before it began {load:.1f} processes wanted {self.processors} processors (load average)"

    def _clocks(self) -> Iterator[str]:
        rates = [each.cpu_mhz for each in self.during if each.cpu_mhz is not None]
        # A machine at rest may be slow, so what came before and after counts as a highest rate only.
        highest = max(rates + [each.cpu_mhz or 0.0 for each in (self.before, self.after)])
        if rates and min(rates) < SLOWER_CLOCK * highest:
            yield f"the processor's clock fell from {highest:.0f} to {min(rates):.0f} MHz"
        first, last = self.before.throttle_count, self.after.throttle_count
        if first is not None and last is not None and last > first:
            hottest = max((each.temperature_c or 0.0 for each in self.during), default=0.0)
            heat = f" (up to {hottest:.0f} °C)" if hottest else ""
            yield f"heat slowed the processor {last - first} times{heat}"

    def _gpu(self) -> Iterator[str]:
        before, looks = self.before.gpu, [each.gpu for each in self.during if each.gpu is not None]
        if before is not None and (before.utilisation or 0.0) > BUSY_GPU:
            yield f"the GPU was busy {before.utilisation:.0%} of the time before this began"
        neighbours = max((look.other_processes or 0 for look in looks), default=0)
        if neighbours:
            yield f"{neighbours} other {'process' if neighbours == 1 else 'processes'} computed on the GPU"
        rates = [look.sm_clock_mhz for look in looks if look.sm_clock_mhz]
        if rates and min(rates) < SLOWER_CLOCK * max(rates):
            yield f"the GPU's clock fell from {max(rates)} to {min(rates)} MHz"
        reasons = {reason for look in looks for reason in look.throttle_reasons if reason in SLOWDOWNS}
        if reasons:
            yield f"the GPU was slowed: {', '.join(sorted(reasons))}"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        values = dataclasses.asdict(self)
        values["during"] = list(values["during"])
        return values

    @classmethod
    def from_dict(cls, values: Any, where: str = "noise") -> Noise:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for a missing or unknown field or a wrong type; ``where`` begins the field's name.
        """
        return read_record(cls, values, where)


class NoiseWatch:
    """Takes the readings of one run: :meth:`before`, then :meth:`tick` again and again, then :meth:`after`."""

    def __init__(self, device: str = "cpu", *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Begin. On a CUDA device this initialises CUDA: make it where it is measured, before anything is computed."""
        self.cpus = usable_cpus()
        self.gpu: Nvml | None = nvml_for(device)
        self.clock = clock
        self.start_s = clock()
        self.last = now(self.cpus)
        self.first: Moment | None = None
        self.began: Reading | None = None
        self.readings: list[Reading] = []
        self.spacing_s = TICK_S

    def before(self, wait_s: float = BEFORE_S) -> Reading:
        """Look on for a moment and take the reading before the measurement."""
        time.sleep(wait_s)
        self.began = self.read()
        self.first = self.last
        return self.began

    def tick(self) -> None:
        """Take a reading if the last one is long enough ago; cheap enough to be called between any two rounds."""
        taken = self.readings[-1] if self.readings else self.began
        if taken is not None and self.clock() - self.start_s - taken.at_s < self.spacing_s:
            return
        self.readings.append(self.read())
        if len(self.readings) >= MOST_READINGS:
            self.readings = [joined(*pair) for pair in zip(self.readings[::2], self.readings[1::2], strict=True)]
            self.spacing_s *= 2

    def after(self) -> Noise:
        """Take the last reading and return the record."""
        began = self.began or self.before(0.0)
        ended = self.read()
        share = self._share(self.first, self.last)
        return Noise(len(self.cpus), began, tuple(self.readings), ended, share)

    def read(self) -> Reading:
        """Look at everything now."""
        moment = now(self.cpus)
        share, self.last = self._share(self.last, moment), moment
        return Reading(
            at_s=round(self.clock() - self.start_s, 3),
            load_average_1min=load_average_1min(),
            others_share=share,
            cpu_mhz=cpu_mhz(self.cpus),
            temperature_c=cpu_temperature_c(),
            throttle_count=throttle_count(self.cpus),
            gpu=None if self.gpu is None else self.gpu.reading(),
        )

    def _share(self, start: Moment | None, end: Moment | None) -> float | None:
        # Over a shorter stretch the ticks of the counters would be all that is seen.
        if start is None or end is None or end.clock_s - start.clock_s < BEFORE_S:
            return None
        return min(1.0, others_between(start, end) / len(self.cpus))


def joined(first: Reading, second: Reading) -> Reading:
    """One reading for two neighbours: of each figure the more alarming one, and the moment of the second."""
    return Reading(
        at_s=second.at_s,
        load_average_1min=worst(max, (first.load_average_1min, second.load_average_1min)),
        others_share=worst(max, (first.others_share, second.others_share)),
        cpu_mhz=worst(min, (first.cpu_mhz, second.cpu_mhz)),
        temperature_c=worst(max, (first.temperature_c, second.temperature_c)),
        throttle_count=worst(max, (first.throttle_count, second.throttle_count)),
        gpu=joined_gpu(first.gpu, second.gpu),
    )


def joined_gpu(first: GpuReading | None, second: GpuReading | None) -> GpuReading | None:
    """The same for what a GPU said."""
    if first is None or second is None:
        return first or second
    return GpuReading(
        sm_clock_mhz=worst(min, (first.sm_clock_mhz, second.sm_clock_mhz)),
        memory_clock_mhz=worst(min, (first.memory_clock_mhz, second.memory_clock_mhz)),
        temperature_c=worst(max, (first.temperature_c, second.temperature_c)),
        throttle_reasons=tuple(dict.fromkeys((*first.throttle_reasons, *second.throttle_reasons))),
        other_processes=worst(max, (first.other_processes, second.other_processes)),
        utilisation=worst(max, (first.utilisation, second.utilisation)),
    )


def worst(choose: Callable[[list[Any]], Any], values: Iterable[Any]) -> Any:
    """The least or greatest of the values that are known; None when none is."""
    known = [value for value in values if value is not None]
    return choose(known) if known else None
