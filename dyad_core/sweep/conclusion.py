"""From measured points to the result: contours, rules and the reading, from the points alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from dyad_core.bench.reading import PASS_NAMES
from dyad_core.bench.results import Environment
from dyad_core.sweep.contour import contour_lines
from dyad_core.sweep.figures import Figure, Key, curves
from dyad_core.sweep.grid import Grid, Node
from dyad_core.sweep.refine import Sides, leaves
from dyad_core.sweep.results import Contour, Line, Rule, Stopped, SweepPoint, SweepResult
from dyad_core.sweep.spec import SweepSpec
from dyad_core.sweep.surface import Array, levels_of, surface_of
from dyad_core.sweep.words import conditions, rule_of

__all__ = ["conclude", "figures_by_node", "sides_of"]

ENDINGS: dict[Stopped, str] = {
    "done": "",
    "budget": " The time budget ended before everything near 1.0x was measured.",
    "cancelled": " It was stopped before everything near 1.0x was measured.",
    "max_points": " The number of points it may have ended before everything near 1.0x was measured.",
}


def conclude(
    spec: SweepSpec,
    points: Sequence[SweepPoint],
    *,
    stopped: Stopped,
    created_at: str,
    duration_s: float,
    warnings: Sequence[str] = (),
) -> SweepResult:
    """The result that follows from these points."""
    environment = next((point.run.environment for point in points if point.run is not None), None)
    figures = figures_by_node(spec.grid, points)
    sides = sides_of(figures)
    maps = {key: _of(key, figures) for key in curves(spec)}
    rules = tuple(_rule(spec, environment, found) for found in maps.values() if found)
    result = SweepResult(
        spec=spec,
        environment=environment,
        points=tuple(points),
        stopped=stopped,
        created_at=created_at,
        duration_s=duration_s,
        skipped=spec.grid.skipped,
        contours=tuple(_contour(spec.grid, sides, found) for found in maps.values() if found),
        rules=rules,
        warnings=tuple(warnings),
    )
    return dataclasses.replace(result, reading=_reading(result))


def figures_by_node(grid: Grid, points: Sequence[SweepPoint]) -> dict[Node, dict[Key, Figure]]:
    """The figures of every point by its place on the lattice; points outside of it are left out."""
    columns = {(column.in_features, column.out_features): index for index, column in enumerate(grid.columns)}
    rows = {tokens: index for index, tokens in enumerate(grid.tokens)}
    return {
        (columns[point.in_features, point.out_features], rows[point.tokens]): {
            figure.key: figure for figure in point.figures
        }
        for point in points
        if (point.in_features, point.out_features) in columns and point.tokens in rows
    }


def sides_of(figures: dict[Node, dict[Key, Figure]]) -> Sides:
    """What refinement needs to know of them."""
    return {node: {key: figure.side for key, figure in found.items()} for node, found in figures.items()}


def _of(key: Key, figures: dict[Node, dict[Key, Figure]]) -> dict[Node, Figure]:
    return {node: found[key] for node, found in figures.items() if key in found}


def _rule(spec: SweepSpec, environment: Environment | None, figures: dict[Node, Figure]) -> Rule:
    grid = spec.grid
    named = {(grid.columns[column].in_features, grid.tokens[row]): figure for (column, row), figure in figures.items()}
    return rule_of(spec, environment, named)


def _contour(grid: Grid, sides: Sides, figures: dict[Node, Figure]) -> Contour:
    first = next(iter(figures.values()))
    levels = levels_of(grid, figures, list(leaves(grid, sides)))

    def lines(values: Array) -> tuple[Line, ...]:
        found = contour_lines(*grid.axes, values)
        return tuple(tuple((float(np.exp2(x)), float(np.exp2(y))) for x, y in line) for line in found)

    return Contour(
        n_blocks=first.n_blocks,
        variant=first.variant,
        implementation=first.implementation,
        pass_=first.pass_,
        lines=lines(levels.speedup),
        low_lines=lines(levels.low),
        high_lines=lines(levels.high),
        surface=surface_of(grid, levels),
    )


def _reading(result: SweepResult) -> str:
    spec = result.spec
    count = f"{len(result.points)} of {spec.grid.points} sizes measured"
    ending = _machines(result) + _disturbed(result) + ENDINGS[result.stopped]
    if not result.rules:
        return f"{conditions(spec, result.environment)}, {count}.{ending}"
    start = f"{conditions(spec, result.environment)}, "
    said: dict[str, list[str]] = {}
    for rule in result.rules:
        name = PASS_NAMES[rule.pass_]
        said.setdefault(name, []).append(rule.text.removeprefix(f"{start}{name}: ").rstrip("."))
    parts = [f"{name}: {'; '.join(texts)}" for name, texts in said.items()]
    return f"{start}{count}. {'. '.join(part[:1].upper() + part[1:] for part in parts)}.{ending}"


def _machines(result: SweepResult) -> str:
    """Who measured, where there was more than one machine."""
    hosts = Counter(point.run.environment.hostname for point in result.points if point.run is not None)
    named = sorted(host for host in hosts if host)
    if len(named) < 2:
        return ""
    counted = [f"{host} ({hosts[host]})" for host in named]
    return (
        f" The points were measured by {len(named)} machines of one kind: {', '.join(counted[:-1])} and {counted[-1]}."
    )


def _disturbed(result: SweepResult) -> str:
    count = sum(point.disturbed for point in result.points)
    were = "was" if count == 1 else "were"
    return (
        f" {count} of the points {were} measured beside other work, which may move figures either way." if count else ""
    )
