"""What was measured: frozen records with raw samples, and the versioned file that holds them.

These dataclasses are the REST answer, the exported file and the Python return value: one shape, which
only grows. ``SCHEMA_VERSION`` rises when a reader must know; older files are upgraded on reading,
newer ones are refused with a sentence.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dyad_core.bench.records import build_record
from dyad_core.bench.spec import PEERS, BenchmarkSpec, Pass
from dyad_core.errors import Problem, SpecError

__all__ = [
    "SCHEMA_VERSION",
    "BenchmarkRun",
    "Candidate",
    "Correctness",
    "Environment",
    "MemoryUse",
    "Outcome",
    "PassSampling",
    "Stopped",
    "compared",
]

SCHEMA_VERSION = 2

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
        peak_bytes: parameters + inputs + allocated peak.
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
        return build_record(cls, _with_pass(values, where), where)


@dataclass(frozen=True)
class Candidate:
    """One candidate (or the dense twin, ``variant="dense"``) in one pass.

    A peer has its own name as variant and implementation; its ``n_blocks`` is the n at which it has as many parameters
    as a DYAD (``monarch``: as near as its structure allows), its ``limit`` the ratio of the weights.
    ``parameters`` counts weights without bias, ``flops`` the products of one call. ``samples_ms`` are all
    samples in the order they were taken, none dropped: milliseconds per call. Sample k of every candidate of a
    pass belongs to the same round, so ratios are paired by position.
    ``speedup`` is the centre of dense/candidate over rounds, ``speedup_low`` and ``speedup_high`` its 95 %
    interval, see :mod:`dyad_core.bench.statistics`; ``share_of_limit`` is speedup divided by ``limit`` (n/2; n for ``bd``).
    """

    # "pass" is a Python keyword: the attribute is pass_, the JSON field is "pass".
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }

    variant: str
    n_blocks: int | None
    grain: int | None
    implementation: str
    pass_: Pass
    outcome: Outcome
    parameters: int
    flops: int
    limit: float
    samples_ms: tuple[float, ...] = ()
    calls_per_sample: int = 0
    median_ms: float | None = None
    q1_ms: float | None = None
    q3_ms: float | None = None
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    share_of_limit: float | None = None
    memory: MemoryUse | None = None
    correctness: Correctness | None = None
    warnings: tuple[str, ...] = ()
    detail: str = ""
    chosen_by_auto: bool = False
    """Whether ``"auto"`` was asked for and meant this implementation, when it was measured."""
    weight_copies: int = 1
    """``decode``: how many copies of the weights the calls rotated through, to more than twice ``cache_bytes``."""
    memory_predicted: MemoryUse | None = None
    """What its sizes let expect, to hold ``memory`` against."""
    bytes_moved: int | None = None
    """Compulsory traffic of one call: every operand read once, every result written once."""
    operations: int | None = None
    """Operations that one call dispatches, views left out."""
    energy_j: float | None = None
    """Joules per call where the device counts them."""

    @property
    def has_speed(self) -> bool:
        """Whether it was timed."""
        return self.median_ms is not None

    @property
    def label(self) -> str:
        """Short name for tables and charts: ``dense``, ``IT n=4``, or of a peer ``low-rank as n=4``."""
        if self.n_blocks is None:
            return self.variant
        if self.variant in PEERS:
            return f"{self.variant.replace('_', '-')} as n={self.n_blocks}"
        grain = f" g={self.grain}" if self.grain not in (None, 1) else ""
        return f"{self.variant.upper()} n={self.n_blocks}{grain}"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, the pass under its JSON name."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        values["pass"] = values.pop("pass_")
        return values

    @classmethod
    def from_dict(cls, values: Any, where: str = "candidate") -> Candidate:
        """Read what :meth:`to_dict` wrote.

        Raises:
            SpecError: for a missing or unknown field or a wrong type; ``where`` begins the field's name.
        """
        fields = _with_pass(values, where)
        for name, kind in (("memory", MemoryUse), ("memory_predicted", MemoryUse), ("correctness", Correctness)):
            if isinstance(fields.get(name), dict):
                fields[name] = build_record(kind, fields[name], f"{where}.{name}")
        return build_record(cls, fields, where)


@dataclass(frozen=True)
class BenchmarkRun:
    """One finished benchmark: the request, where it ran, and every candidate with its raw samples."""

    spec: BenchmarkSpec
    environment: Environment
    candidates: tuple[Candidate, ...]
    created_at: str
    """Start of the measurement, ISO 8601, UTC."""
    duration_s: float
    reading: str = ""
    """One sentence that says what the figures mean."""
    warnings: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION
    sampling: tuple[PassSampling, ...] = ()

    def dense(self, pass_: Pass) -> Candidate:
        """Return the dense twin of one pass.

        Raises:
            KeyError: when the run holds no such pass.
        """
        for candidate in self.candidates:
            if candidate.variant == "dense" and candidate.pass_ == pass_:
                return candidate
        raise KeyError(pass_)

    def to_dict(self) -> dict[str, Any]:
        """Return the run as JSON-ready values, the shape that REST and files share."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        values["candidates"] = [candidate.to_dict() for candidate in self.candidates]
        values["sampling"] = [each.to_dict() for each in self.sampling]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BenchmarkRun:
        """Read a run, upgrading an older schema.

        Raises:
            SpecError: for a newer schema, a missing or unknown field or a wrong type; the field is named.
        """
        upgraded = _upgrade(values)
        spec = _spec(_mapping(upgraded, "spec"))
        environment = build_record(Environment, _mapping(upgraded, "environment"), "environment")
        candidates = tuple(
            Candidate.from_dict(item, f"candidates.{index}")
            for index, item in enumerate(_sequence(upgraded, "candidates"))
        )
        read = {"spec": spec, "environment": environment, "candidates": candidates}
        if "sampling" in upgraded:
            read["sampling"] = tuple(
                PassSampling.from_dict(item, f"sampling.{index}")
                for index, item in enumerate(_sequence(upgraded, "sampling"))
            )
        rest = {key: value for key, value in upgraded.items() if key not in read}
        return build_record(cls, {**read, **rest}, "run")


def _spec(values: dict[str, Any]) -> BenchmarkSpec:
    try:
        return BenchmarkSpec.from_dict(values)
    except SpecError as error:
        raise SpecError([problem.under("spec") for problem in error.problems]) from error


def _mapping(values: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(values.get(name), dict):
        raise SpecError([Problem(name, "must be an object", values.get(name))])
    return dict(values[name])


def _sequence(values: dict[str, Any], name: str) -> list[Any]:
    if not isinstance(values.get(name), list):
        raise SpecError([Problem(name, "must be a list", values.get(name))])
    return list(values[name])


def _with_pass(values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise SpecError([Problem(where, "must be an object", values)])
    return {"pass_" if name == "pass" else name: value for name, value in values.items()}


def compared(speedup_low: float | None, speedup_high: float | None) -> Outcome:
    """How a candidate with a speed came out against the dense twin, from its interval; None where there is no twin."""
    if speedup_low is None or speedup_high is None:
        return "measured"
    if speedup_low > 1.0:
        return "faster"
    return "slower" if speedup_high < 1.0 else "not_distinguishable"


def _compared_with_dense(values: dict[str, Any]) -> dict[str, Any]:
    """Version 2 splits the outcome ``measured`` by the interval; training steps had no optimizer before it."""
    candidates, spec = values.get("candidates"), values.get("spec")
    upgraded = {**values, "schema_version": 2}
    if isinstance(spec, dict):
        upgraded["spec"] = {"optimizer": "none", **spec}
    if isinstance(candidates, list):
        upgraded["candidates"] = [_with_comparison(each) for each in candidates]
    return upgraded


def _with_comparison(values: Any) -> Any:
    if not isinstance(values, dict) or values.get("outcome") != "measured" or values.get("variant") == "dense":
        return values
    low, high = values.get("speedup_low"), values.get("speedup_high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return values
    return {**values, "outcome": compared(low, high)}


_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _compared_with_dense}
"""From version k to k + 1; each entry takes and returns the whole file as a dictionary."""


def _upgrade(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise SpecError([Problem("run", "must be a JSON object", type(values).__name__)])
    version = values.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SpecError([Problem("schema_version", "must be a positive integer", version)])
    if version > SCHEMA_VERSION:
        rule = f"this version reads result files up to schema {SCHEMA_VERSION}"
        raise SpecError([Problem("schema_version", rule, version, "update dyad-explorer to read this file")])
    while version < SCHEMA_VERSION:
        values = _UPGRADES[version](values)
        version += 1
    return dict(values)
