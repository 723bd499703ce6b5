"""The lists of a sweep request as they came: each value checked, each list sorted and without doubles."""

from __future__ import annotations

from typing import Any

from dyad_core.errors import Problem
from dyad_core.geometry import positive_integer
from dyad_core.sweep.cost import duration
from dyad_core.sweep.grid import Grid

__all__ = ["CONFIRM_POINTS", "MAX_LINES", "MAX_RATIO", "MAX_SIZE", "read_lattice", "unconfirmed"]

CONFIRM_POINTS = 256
"""A lattice of more places needs ``confirmed``."""

MAX_LINES = 1000
MAX_RATIO = 1024
MAX_SIZE = 2**48
"""Far beyond what any machine holds; larger numbers would leave the range of floats when multiplied."""

EXAMPLE = "for example [128, 256, 512, 1024, 2048]"


def read_lattice(lines: dict[str, Any], ratio: Any) -> tuple[dict[str, tuple[Any, ...]], list[Problem]]:
    """Return the lists that are right, sorted, by name, and every problem.

    Args:
        lines: ``widths`` and ``tokens``, lists of integers, and ``sizes``, a list of pairs.
        ratio: out_features / in_features.
    """
    taken: dict[str, tuple[Any, ...]] = {}
    problems: list[Problem] = []
    for name, value in lines.items():
        found = _list_problems(name, value) or [
            problem for item in value if (problem := _item_problem(name, item)) is not None
        ]
        problems += found
        if not found and name == "sizes":
            taken[name] = tuple(sorted({(int(pair[0]), int(pair[1])) for pair in value}))
        elif not found:
            taken[name] = tuple(sorted({int(item) for item in value}))
    number = isinstance(ratio, int | float) and not isinstance(ratio, bool)
    if not number or not 0 < ratio <= MAX_RATIO:
        problems.append(Problem("ratio", f"must be a number above 0 and at most {MAX_RATIO}", ratio))
    return taken, problems or _shape_problems(taken)


def unconfirmed(grid: Grid, seconds: float, max_seconds: float, max_points: int) -> Problem:
    """A lattice that is large enough to be a mistake: how many points, how long, and how to say that it is none."""
    rule = (
        f"must be true for a lattice of {grid.points:,} points ({len(grid.columns)} sizes × {len(grid.tokens)} tokens): "
        f"by an estimate from sizes about {duration(seconds)} if every one were measured; "
        f"the sweep itself ends after max_seconds={max_seconds:g} or {max_points} points"
    )
    suggestion = f"confirmed: true (--yes) goes on; up to {CONFIRM_POINTS} points need no confirmation"
    return Problem("confirmed", rule, False, suggestion)


def _list_problems(name: str, value: Any) -> list[Problem]:
    if not isinstance(value, list | tuple):
        return [Problem(name, "must be a list", value, f"for one value write [{value!r}]")]
    if len(value) > MAX_LINES:
        return [Problem(name, f"must hold at most {MAX_LINES} values", len(value))]
    return []


def _item_problem(name: str, item: Any) -> Problem | None:
    if name != "sizes":
        return _number_problem(name, item)
    if isinstance(item, list | tuple) and len(item) == 2:
        return _number_problem(name, item[0]) or _number_problem(name, item[1])
    return Problem(name, "must hold pairs [in_features, out_features]", item, "for example [[768, 3072]]")


def _number_problem(name: str, item: Any) -> Problem | None:
    problem = positive_integer(name, item)
    if problem is None and item > MAX_SIZE:
        return Problem(name, f"must be at most 2**48 = {MAX_SIZE}", item)
    return problem


def _shape_problems(taken: dict[str, tuple[Any, ...]]) -> list[Problem]:
    """Rules between the lists: an empty lattice, two ways to say one axis, a width that comes twice."""
    problems = []
    if not taken["tokens"]:
        problems.append(Problem("tokens", "must not be empty: the lattice would have no points", [], EXAMPLE))
    if taken["widths"] and taken["sizes"]:
        rule = "must not be given beside sizes: one of the two says which layers are measured"
        problems.append(Problem("widths", rule, list(taken["widths"])))
    elif not taken["widths"] and not taken["sizes"]:
        rule = "must not be empty, unless sizes are given: the lattice would have no points"
        problems.append(Problem("widths", rule, [], EXAMPLE))
    widths = [pair[0] for pair in taken["sizes"]]
    if twice := sorted({width for width in widths if widths.count(width) > 1}):
        rule = "must hold each in_features once: they are one axis of the map"
        problems.append(Problem("sizes", rule, twice, "make one sweep per out_features"))
    return problems
