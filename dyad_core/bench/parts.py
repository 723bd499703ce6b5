"""The parts of a result: where it was measured, how right and how large a candidate is, how its rounds ended."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dyad_core.bench.records import read_record
from dyad_core.bench.spec import Pass

__all__ = ["Correctness", "Environment", "MemoryUse", "Outcome", "PassSampling", "Stopped", "compared"]

Outcome = Literal[
    "faster",
    "slower",
    "not_distinguishable",
    "measured",
    "incorrect",
    "out_of_memory",
    "unsupported",
    "failed",
]
"""How a candidate came out. The first three compare it with the dense twin: its 95 % interval lies above 1.0x, below, or
holds it. ``measured`` has a speed and nothing to be compared with: the dense twin itself, or a candidate without one. The
others have no speed, and ``detail`` says why in a sentence."""

Stopped = Literal["target", "budget", "rounds"]


@dataclass(frozen=True)
class Environment:
    """Where and under which settings a run was measured. None stands for "could not be read here"."""

    hostname: str
    platform: str
    python_version: str
    torch_version: str
    numpy_version: str
    dyad_version: str
    device: str
    device_name: str
    cpu_name: str
    cpu_cores: int
    cpu_capability: str
    threads: int
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    dtype: str
    dtype_emulated: bool
    float32_matmul_precision: str
    load_average_1min: float | None
    cuda_version: str | None = None
    driver_version: str | None = None
    cache_bytes: int | None = None
    """Last-level cache of the device; what ``decode`` rotates the weights through."""
    allocator: dict[str, str] = field(default_factory=dict)
    """What decides how memory is allocated, both sides alike: variables as they were set, huge pages, a library."""


@dataclass(frozen=True)
class Correctness:
    """How far one candidate is from the oracle (float64, through the dense matrix), before any timing.

    Errors are the largest absolute difference over outputs and, for ``train_step``, gradients, divided by
    the largest absolute value of the oracle. ``dense_error`` is the dense product of the same weight in the
    same dtype, so that a reader sees what the dtype alone costs.
    """

    passed: bool
    error: float | None
    tolerance: float
    dense_error: float


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of one candidate in one pass, measured in a pass that is not timed.

    Attributes:
        parameters_bytes: weights and bias.
        inputs_bytes: input and, for ``train_step``, the output gradient: held by the caller.
        gradients_bytes: gradients of parameters and input after the pass; 0 for ``forward``.
        allocated_peak_bytes: the most that the pass itself had allocated at one moment (outputs, saved
            activations, gradients, temporaries).
        peak_bytes: parameters + inputs + state of the optimizer + allocated peak.
        method: how it was measured, or ``"predicted from sizes"``.
        outputs_bytes: what the pass returns.
        saved_activations_bytes: what forward keeps for backward beyond parameters and input; 0 without autograd.
        optimizer_state_bytes: state of the optimizer after its first step; 0 without one.
        temporaries_bytes: the allocated peak less outputs, saved activations and gradients, at least 0.

    The last four are None in files that are older.
    """

    parameters_bytes: int
    inputs_bytes: int
    gradients_bytes: int
    allocated_peak_bytes: int
    peak_bytes: int
    method: str
    outputs_bytes: int | None = None
    saved_activations_bytes: int | None = None
    optimizer_state_bytes: int | None = None
    temporaries_bytes: int | None = None


@dataclass(frozen=True)
class PassSampling:
    """How the rounds of one pass ended.

    Attributes:
        pass_: of which pass.
        rounds: samples of every candidate.
        looks: how often the intervals were looked at; the intervals are wide enough for all of them.
        stopped: ``"target"``: every interval is as narrow as wished; ``"budget"``: ``max_seconds`` was spent;
            ``"rounds"``: the most rounds that are ever taken.
        target_interval: the wished half width, as a share of the speed-up.
        widest_interval: the half width that was reached, of the candidate that has the widest; None without one.
        critical_value: of the standardised statistic, at every look; a single look would have 1.96.
        method: name and source.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }

    pass_: Pass
    rounds: int
    looks: int
    stopped: Stopped
    target_interval: float
    widest_interval: float | None
    critical_value: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, the pass under its JSON name."""
        values = dataclasses.asdict(self)
        return {"pass": values.pop("pass_"), **values}

    @classmethod
    def from_dict(cls, values: Any, where: str = "sampling") -> PassSampling:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for a missing or unknown field or a wrong type; ``where`` begins the field's name.
        """
        return read_record(cls, values, where)


def compared(speedup_low: float | None, speedup_high: float | None) -> Outcome:
    """How a candidate with a speed came out against the dense twin, from its interval; None where there is no twin."""
    if speedup_low is None or speedup_high is None:
        return "measured"
    if speedup_low > 1.0:
        return "faster"
    return "slower" if speedup_high < 1.0 else "not_distinguishable"
