"""What a sweep found: points with their runs, and the contours and rules that follow from them.

One shape for REST, files and Python. Contours, rules and the reading are made from the points alone
(:func:`dyad_core.sweep.conclusion.conclude`), when a sweep ends and again when a file is read, so that no file can say
in words what its figures do not.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dyad_core.bench.results import BenchmarkRun, Environment, Outcome
from dyad_core.bench.spec import Pass
from dyad_core.sweep.figures import Figure
from dyad_core.sweep.grid import Skipped
from dyad_core.sweep.spec import SweepSpec

__all__ = ["SCHEMA_VERSION", "Contour", "Finding", "Rule", "Stopped", "Surface", "SweepPoint", "SweepResult"]

SCHEMA_VERSION = 1

Stopped = Literal["done", "budget", "cancelled", "max_points"]
"""``done``: nothing near 1.0x is left to measure; else what ended the sweep before that."""

Finding = Literal["everywhere", "nowhere", "from", "exceptions", "doubt", "nothing"]
"""Pays at every measured size; at none; from a border on; not in order; doubtful everywhere; nothing was measured."""

_PASS: dict[str, Any] = {"alias_generator": lambda name: name.rstrip("_"), "populate_by_name": True}
Line = tuple[tuple[float, float], ...]
Rows = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class SweepPoint:
    """One measured size.

    Attributes:
        in_features: of the layer.
        out_features: of the layer.
        tokens: rows of the input.
        outcome: ``"measured"``: there is a run (its candidates have outcomes of their own); else why there is none.
        detail: why there is none, in a sentence.
        reused: taken over from an earlier sweep, file or run.
        seconds: what it took; 0 when taken over.
        disturbed: whether other work kept the processors busy meanwhile; the warnings of the run say how much.
        figures: one for each map.
        run: the benchmark.
    """

    in_features: int
    out_features: int
    tokens: int
    outcome: Outcome
    detail: str = ""
    reused: bool = False
    seconds: float = 0.0
    disturbed: bool = False
    figures: tuple[Figure, ...] = ()
    run: BenchmarkRun | None = None


@dataclass(frozen=True)
class Surface:
    """A map over its whole lattice; rows by tokens, columns by width. None where nothing is known.

    Attributes:
        widths: in_features of the columns.
        tokens: of the rows.
        speedup: measured, or interpolated in log space inside a cell whose corners agree.
        low: lower ends of the 95 % intervals, likewise.
        high: upper ends, likewise.
        measured: whether a value was measured rather than interpolated.
    """

    widths: tuple[int, ...]
    tokens: tuple[int, ...]
    speedup: Rows
    low: Rows
    high: Rows
    measured: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True)
class Contour:
    """Where one map crosses 1.0x, as polylines of (width, tokens), and its band of doubt.

    Between ``low_lines`` and ``high_lines`` the interval [low, high] holds 1.0: beyond ``low_lines`` DYAD is faster for
    certain, beyond ``high_lines`` it is slower for certain.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _PASS

    n_blocks: int
    variant: str
    implementation: str
    pass_: Pass
    lines: tuple[Line, ...]
    low_lines: tuple[Line, ...]
    high_lines: tuple[Line, ...]
    surface: Surface


@dataclass(frozen=True)
class Rule:
    """One map in words: what was found, how often, and the sentence."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _PASS

    n_blocks: int
    variant: str
    implementation: str
    pass_: Pass
    finding: Finding
    faster: int
    slower: int
    not_distinguishable: int
    without_speed: int
    text: str


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep, whole or as far as it came."""

    spec: SweepSpec
    environment: Environment | None
    """None when no point has a run."""
    points: tuple[SweepPoint, ...]
    """In the order they were measured."""
    stopped: Stopped
    created_at: str
    """Start, ISO 8601, UTC."""
    duration_s: float
    skipped: tuple[Skipped, ...] = ()
    contours: tuple[Contour, ...] = ()
    rules: tuple[Rule, ...] = ()
    reading: str = ""
    warnings: tuple[str, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, the shape that REST and files share."""
        values: dict[str, Any] = _plain(dataclasses.replace(self, spec=None, points=()))  # type: ignore[arg-type]
        values["spec"] = self.spec.to_dict()
        values["points"] = [
            _plain(dataclasses.replace(point, run=None)) | {"run": None if point.run is None else point.run.to_dict()}
            for point in self.points
        ]
        return values


def _plain(record: Any) -> Any:
    """A record without runs as JSON-ready values, each pass under its JSON name."""
    return json.loads(json.dumps(dataclasses.asdict(record, dict_factory=_named), allow_nan=False))


def _named(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in items}
