"""A sweep as maps: one per n, variant, implementation and pass, while it grows and when it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frontend.logic import words
from frontend.logic.noise import disturbances
from frontend.logic.outcomes import outcome, words_of
from frontend.logic.run_words import pass_words
from frontend.schemas_sweep import SweepRecord, SweepResult

__all__ = [
    "STOPPED",
    "Key",
    "Map",
    "Point",
    "disturbance_of",
    "growing_maps",
    "known_points",
    "maps_of",
    "point_records",
    "point_words",
    "rule_of",
]

Line = tuple[tuple[float, float], ...]

STOPPED = {
    "done": "every size that could matter was measured",
    "budget": "the time budget was spent",
    "max_points": "the most points were measured",
    "cancelled": "it was cancelled",
}


@dataclass(frozen=True, order=True)
class Key:
    """What one map is about."""

    pass_name: str
    n_blocks: int
    variant: str
    implementation: str

    @property
    def label(self) -> str:
        """``IT n=4, training step``; the implementation is named where it was asked for."""
        chosen = "" if self.implementation == "auto" else f" {self.implementation}"
        return f"{self.variant.upper()} n={self.n_blocks}{chosen}, {pass_words(self.pass_name)}"


@dataclass(frozen=True)
class Point:
    """One measured size in one map."""

    width: int
    out_features: int
    tokens: int
    outcome: str
    speedup: float | None = None
    low: float | None = None
    high: float | None = None
    chosen: str = ""
    detail: str = ""
    reused: bool = False


@dataclass(frozen=True)
class Map:
    """One heat map: the lattice, what is known on it, what was measured, and where 1.0x runs.

    ``speedup`` has rows by tokens and columns by width, None where nothing is known; lines are of (width, tokens).
    """

    key: Key
    widths: tuple[int, ...]
    tokens: tuple[int, ...]
    speedup: tuple[tuple[float | None, ...], ...]
    points: tuple[Point, ...]
    lines: tuple[Line, ...] = ()
    low_lines: tuple[Line, ...] = ()
    high_lines: tuple[Line, ...] = ()

    def measured_at(self, width: int, tokens: int) -> bool:
        """Whether a size of the lattice was measured and is not interpolated."""
        return any((point.width, point.tokens) == (width, tokens) for point in self.points)


def maps_of(result: SweepResult) -> list[Map]:
    """Return the maps of a finished sweep, in the order of the service."""
    points: dict[Key, list[Point]] = {}
    for place in result.get("points") or []:
        for figure in place.get("figures") or []:
            found = Point(
                place["in_features"],
                place["out_features"],
                place["tokens"],
                figure["outcome"],
                figure.get("speedup"),
                figure.get("speedup_low"),
                figure.get("speedup_high"),
                figure.get("chosen") or "",
                figure.get("detail") or place.get("detail") or "",
                bool(place.get("reused")),
            )
            points.setdefault(_key(figure), []).append(found)
    maps = []
    for contour in result.get("contours") or []:
        key, surface = _key(contour), contour["surface"]
        maps.append(
            Map(
                key,
                tuple(surface["widths"]),
                tuple(surface["tokens"]),
                tuple(tuple(row) for row in surface["speedup"]),
                tuple(points.get(key, [])),
                lines=_lines(contour.get("lines")),
                low_lines=_lines(contour.get("low_lines")),
                high_lines=_lines(contour.get("high_lines")),
            )
        )
    return maps


def growing_maps(spec: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Map]:
    """Return the maps of a sweep that runs or was stopped: measured sizes alone, on the whole lattice.

    The lattice and the number of maps follow from the request, so a chart keeps its shape while points come in.
    """
    widths = tuple(sorted(size[0] for size in spec["sizes"])) if spec.get("sizes") else tuple(sorted(spec["widths"]))
    tokens = tuple(sorted(spec["tokens"]))
    keys = [
        Key(pass_name, n, variant, implementation)
        for pass_name in spec["passes"]
        for n in spec["n_blocks"]
        for variant in spec["variants"]
        for implementation in spec.get("implementations") or ["auto"]
    ]
    maps = []
    for key in keys:
        own = [_point(row) for row in rows if _progress_key(row) == key]
        known = {(point.width, point.tokens): point.speedup for point in own}
        grid = tuple(tuple(known.get((width, count)) for width in widths) for count in tokens)
        maps.append(Map(key, widths, tokens, grid, tuple(own)))
    return maps


def known_points(record: SweepRecord) -> list[Mapping[str, Any]]:
    """Return what a sweep without a result has measured so far."""
    return list((record.get("progress") or {}).get("points") or [])


def _point(row: Mapping[str, Any]) -> Point:
    return Point(
        row["width"],
        row["out_features"],
        row["tokens"],
        row["outcome"],
        row.get("speedup"),
        row.get("low"),
        row.get("high"),
        detail=row.get("detail") or "",
    )


def _key(values: Mapping[str, Any]) -> Key:
    return Key(values["pass"], values["n_blocks"], values["variant"], values.get("implementation") or "auto")


def _progress_key(row: Mapping[str, Any]) -> Key:
    return Key(row["pass"], row["n"], row["variant"], row.get("implementation") or "auto")


def _lines(given: Iterable[Iterable[Sequence[float]]] | None) -> tuple[Line, ...]:
    return tuple(tuple((float(width), float(tokens)) for width, tokens in line) for line in given or ())


def rule_of(result: SweepResult, key: Key) -> str:
    """Return the rule of one map in words."""
    return next((rule["text"] for rule in result.get("rules") or [] if _key(rule) == key), "")


def disturbance_of(result: SweepResult) -> str:
    """Say how many sizes were measured beside other work; empty when none was."""
    runs = [run for place in result.get("points") or [] if (run := place.get("run"))]
    disturbed = sum(bool(disturbances(run)) for run in runs)
    return (
        f"Disturbed: {disturbed} of {words.plural(len(runs), 'size')} were measured beside other work"
        if disturbed
        else ""
    )


def point_records(maps: Sequence[Map]) -> list[dict[str, Any]]:
    """Return every measured size of every map as a record of a table."""
    return [
        {
            "map": each.key.label,
            "width": point.width,
            "out_features": point.out_features,
            "tokens": point.tokens,
            "outcome": words_of(point.outcome) + (f": {point.detail}" if point.detail else ""),
            "speed-up (x)": point.speedup,
            "95 % low (x)": point.low,
            "95 % high (x)": point.high,
            "implementation": point.chosen,
            "taken over": point.reused,
        }
        for each in maps
        for point in each.points
    ]


def point_words(point: Point, key: Key) -> str:
    """Everything about one measured size, for the hover of a chart."""
    lines = [f"<b>{point.width} → {point.out_features}, {words.count(point.tokens)} tokens</b>", key.label]
    if point.speedup is not None:
        interval = "" if point.low is None else f" (95 % {words.factor(point.low)} to {words.factor(point.high)})"
        lines.append(f"{words.factor(point.speedup)} of dense{interval}")
    known = outcome(point.outcome)
    lines.append(f"{known.mark} {known.word}")
    if point.chosen:
        lines.append(f"computed by {point.chosen}")
    if point.detail:
        lines.append(point.detail)
    if point.reused:
        lines.append("measured earlier and taken over")
    return "<br>".join(lines)
