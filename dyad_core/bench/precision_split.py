"""A speed-up between two precisions, taken apart: how much is structure, how much is precision.

A figure that sets DYAD in float16 beside dense in float32 changes two things at once. With the float32 time of the same
DYAD in between it falls into two factors that multiply back to it exactly::

    dense float32     dense float32     DYAD float32
    -------------  =  -------------  ×  ------------
    DYAD float16      DYAD float32      DYAD float16
      headline          structure         precision

Records and arithmetic only; where the times come from is :mod:`dyad_core.bench.original_conditions`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dyad_core.bench.results import BenchmarkRun

__all__ = [
    "LABEL",
    "Decomposition",
    "OriginalConditions",
    "Part",
    "Ratio",
    "factors",
    "in_words",
    "part_of",
]

LABEL = "not like for like"


@dataclass(frozen=True)
class Ratio:
    """A ratio of two times with its 95 % interval; no interval where the source has no spread."""

    ratio: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Part:
    """One pass taken apart; times are milliseconds a call, None where nobody measured them.

    Attributes:
        pass_: ``"forward"``, ``"backward"``, ``"total"`` (both) or a pass of the engine.
        headline: dense in float32 over DYAD in float16, which is not like for like.
        structure: dense over DYAD, both in float32.
        precision: DYAD in float32 over DYAD in float16.
        structure_float16: dense over DYAD, both in float16.
        arithmetic: the same in words.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "alias_generator": lambda name: name.rstrip("_"),
        "populate_by_name": True,
    }

    pass_: str
    dense_float32_ms: float | None
    dyad_float32_ms: float | None
    dyad_float16_ms: float | None
    dense_float16_ms: float | None
    headline: Ratio | None
    structure: Ratio | None
    precision: Ratio | None
    structure_float16: Ratio | None
    arithmetic: str


@dataclass(frozen=True)
class Decomposition:
    """One DYAD layer in every pass; ``missing`` says which rows it lacks, ``model`` is None for a measured layer."""

    model: str | None
    in_features: int
    out_features: int
    variant: str
    n_blocks: int
    implementation: str
    parts: tuple[Part, ...]
    missing: str
    reading: str


@dataclass(frozen=True)
class OriginalConditions:
    """The published condition, replayed from its rows or measured here; never a comparison that is like for like.

    ``runs`` are the two runs behind a measurement, each like for like in itself; empty for the replay.
    """

    kind: Literal["replay", "measured"]
    label: str
    source: str
    device_name: str
    conditions: str
    caveats: tuple[str, ...]
    decompositions: tuple[Decomposition, ...]
    reading: str
    runs: tuple[BenchmarkRun, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        plain = dataclasses.replace(self, runs=())
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(plain), allow_nan=False))
        for each in values["decompositions"]:
            each["parts"] = [{"pass": part.pop("pass_"), **part} for part in each["parts"]]
        values["runs"] = [run.to_dict() for run in self.runs]
        return values


def part_of(
    pass_: str,
    dense_float32_ms: float | None,
    dyad_float32_ms: float | None,
    dyad_float16_ms: float | None,
    *,
    dense_float16_ms: float | None = None,
    bounds: dict[str, tuple[float, float]] | None = None,
) -> Part:
    """Take one pass apart as far as its times reach; ``bounds`` are intervals by the name of the ratio.

    An interval is widened to hold its ratio of medians, so that the factors always multiply to the headline.
    """
    times = {
        "headline": (dense_float32_ms, dyad_float16_ms),
        "structure": (dense_float32_ms, dyad_float32_ms),
        "precision": (dyad_float32_ms, dyad_float16_ms),
        "structure_float16": (dense_float16_ms, dyad_float16_ms),
    }
    ratios = {name: _ratio(*pair, (bounds or {}).get(name)) for name, pair in times.items()}
    return Part(
        pass_=pass_,
        dense_float32_ms=dense_float32_ms,
        dyad_float32_ms=dyad_float32_ms,
        dyad_float16_ms=dyad_float16_ms,
        dense_float16_ms=dense_float16_ms,
        arithmetic=_arithmetic(dense_float32_ms, dyad_float32_ms, dyad_float16_ms),
        **ratios,
    )


def in_words(part: Part, missing: str) -> str:
    """One pass taken apart in half a sentence, or why it is not."""
    if part.headline is not None and part.structure is not None and part.precision is not None:
        return (
            f"{part.headline.ratio:.2f}x between DYAD in float16 and dense in float32 is {part.structure.ratio:.2f}x of "
            f"structure × {part.precision.ratio:.2f}x of precision"
        )
    equal = (
        "" if part.structure is None else f"; in equal precision, float32, it is {part.structure.ratio:.2f}x of dense"
    )
    return f"{missing}, so there is nothing to take apart{equal}"


def factors(each: Decomposition) -> tuple[float, float, float]:
    """Headline, structure and precision of the first pass of a layer with nothing missing."""
    part = each.parts[0]
    if part.headline is None or part.structure is None or part.precision is None:
        msg = "a figure with nothing missing has all three factors"
        raise ValueError(msg)
    return part.headline.ratio, part.structure.ratio, part.precision.ratio


def _ratio(above: float | None, below: float | None, bounds: tuple[float, float] | None) -> Ratio | None:
    if above is None or below is None:
        return None
    ratio = above / below
    return Ratio(ratio) if bounds is None else Ratio(ratio, min(bounds[0], ratio), max(bounds[1], ratio))


def _arithmetic(dense32: float | None, dyad32: float | None, dyad16: float | None) -> str:
    if dense32 is None:
        return ""
    if dyad32 is None or dyad16 is None:
        only, name = (dyad16, "float16") if dyad32 is None else (dyad32, "float32")
        return "" if only is None else f"{dense32:.3f} ms / {only:.3f} ms ({name}) = {dense32 / only:.2f}x"
    return (
        f"{dense32:.3f} ms / {dyad16:.3f} ms = {dense32 / dyad16:.2f}x = {dense32 / dyad32:.2f}x of structure "
        f"({dense32:.3f} / {dyad32:.3f}) × {dyad32 / dyad16:.2f}x of precision ({dyad32:.3f} / {dyad16:.3f})"
    )
