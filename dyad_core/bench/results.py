"""What was measured: frozen records with raw samples, and the versioned file that holds them.

These dataclasses are the REST answer, the exported file and the Python return value: one shape, which
only grows. ``SCHEMA_VERSION`` rises when a reader must know; older files are upgraded on reading,
newer ones are refused with a sentence.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from dyad_core.bench.ceilings import Ceilings
from dyad_core.bench.noise import Noise
from dyad_core.bench.parts import Correctness, Environment, MemoryUse, Outcome, PassSampling, Stopped, compared
from dyad_core.bench.placement import Placement
from dyad_core.bench.records import build_record, read_record
from dyad_core.bench.spec import PEERS, BenchmarkSpec, Pass
from dyad_core.bench.statistics import SINGLE_LOOK
from dyad_core.bench.upgrades import SCHEMA_VERSION, upgraded
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

T = TypeVar("T")


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
    placement: Placement | None = None
    """Where it stands under the roofline of the machine, where its ceilings are known."""

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
        return read_record(cls, values, where)


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
    ceilings: Ceilings | None = None
    """What the machine can do at most, measured apart and kept."""
    noise: Noise | None = None
    """Load, clocks, heat and neighbours before, during and after."""

    def dense(self, pass_: Pass) -> Candidate:
        """Return the dense twin of one pass.

        Raises:
            KeyError: when the run holds no such pass.
        """
        for candidate in self.candidates:
            if candidate.variant == "dense" and candidate.pass_ == pass_:
                return candidate
        raise KeyError(pass_)

    def critical_value(self, pass_: Pass) -> float:
        """The bound that intervals of one pass need; older runs took a fixed number of rounds and looked once."""
        return next((each.critical_value for each in self.sampling if each.pass_ == pass_), SINGLE_LOOK)

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
        current = upgraded(values)
        spec = _spec(_mapping(current, "spec"))
        read: dict[str, Any] = {
            "spec": spec,
            "environment": read_record(Environment, _mapping(current, "environment"), "environment"),
            "candidates": _each(Candidate, current, "candidates"),
        }
        if "sampling" in current:
            read["sampling"] = _each(PassSampling, current, "sampling")
        for name, kind in (("ceilings", Ceilings), ("noise", Noise)):
            if current.get(name) is not None:
                read[name] = read_record(kind, current[name], name)
        rest = {name: value for name, value in current.items() if name not in read}
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


def _each(kind: type[T], values: dict[str, Any], name: str) -> tuple[T, ...]:
    if not isinstance(values.get(name), list):
        raise SpecError([Problem(name, "must be a list", values.get(name))])
    return tuple(read_record(kind, item, f"{name}.{index}") for index, item in enumerate(values[name]))
