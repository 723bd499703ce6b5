"""Joules of one call, from the counter of a GPU; elsewhere nothing counts them, and the answer is None.

The counter runs for the whole board since the driver was loaded: energy at rest and of other processes is in it, as it
is on the bill. It is refreshed some ten to fifty times a second, so calls are repeated for a second and more.

NVML: nvmlDeviceGetTotalEnergyConsumption, millijoules, from the Volta generation on.
"""

from __future__ import annotations

import math
from typing import Protocol

from dyad_core.bench.nvml import nvml_for
from dyad_core.bench.timer import Call, Clock

__all__ = ["LONG_ENOUGH_S", "EnergyCounter", "energy_counter", "energy_per_call_j"]

LONG_ENOUGH_S = 1.5
"""At fifty refreshes a second the ends of a stretch are off by at most a refresh each: under 3 %."""

MOST_CALLS = 1_000_000


class EnergyCounter(Protocol):
    """What counts energy."""

    def energy_mj(self) -> int | None:
        """Millijoules since some fixed moment, or None when it cannot be read."""
        ...


def energy_counter(device: str) -> EnergyCounter | None:
    """The counter of a device, or None where there is none: a CPU, an old GPU, no driver, no pynvml."""
    gpu = nvml_for(device)
    return gpu if gpu is not None and gpu.energy_mj() is not None else None


def energy_per_call_j(
    call: Call, clock: Clock, counter: EnergyCounter | None, *, call_ms: float, seconds: float = LONG_ENOUGH_S
) -> float | None:
    """Repeat a call for a while and return joules per call; None when nothing counts them.

    Args:
        call: what was timed, warm.
        clock: waits for the device before and after the calls.
        counter: of the device that the call runs on.
        call_ms: what a call takes, to know how many make up ``seconds``.
        seconds: how long to repeat it.
    """
    before = None if counter is None else counter.energy_mj()
    if counter is None or before is None:
        return None
    calls = min(MOST_CALLS, max(1, math.ceil(1e3 * seconds / call_ms)))
    clock.sample_ms(call, calls)
    after = counter.energy_mj()
    if after is None or after <= before:
        return None  # a counter that stands still or was set back counts nothing
    return (after - before) / 1e3 / calls
