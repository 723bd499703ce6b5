"""The way of a sweep over its lattice, for drawn lattices and drawn surfaces."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core.sweep.grid import Grid, Node, make_grid
from dyad_core.sweep.refine import Cell, Wish, coarse_nodes, leaves, uncertain, wishes

KEY = (4, "it", "auto", "forward")
Side = Callable[[Node], int | None]

grids = st.builds(
    lambda widths, tokens: make_grid([(4 * width, 16 * width) for width in widths], tokens, (4,), ("it",), 1),
    st.lists(st.integers(1, 2000), min_size=1, max_size=12, unique=True),
    st.lists(st.integers(1, 5000), min_size=1, max_size=12, unique=True),
)


@st.composite
def planes(draw: st.DrawFn) -> Callable[[Grid], Side]:
    """A plane in log space with a band of doubt; now and then a place without a speed."""
    by_width, by_tokens, offset = (draw(st.floats(-1, 1)) for _ in range(3))
    doubt, holes = draw(st.sampled_from([0.0, 0.05, 0.3, 9.0])), draw(st.sampled_from([0, 7, 3]))

    def on(grid: Grid) -> Side:
        widths, tokens = grid.axes
        middle = (widths[0] + widths[-1]) / 2, (tokens[0] + tokens[-1]) / 2

        def side(node: Node) -> int | None:
            if holes and (5 * node[0] + 3 * node[1]) % holes == 1:
                return None
            value = by_width * (widths[node[0]] - middle[0]) + by_tokens * (tokens[node[1]] - middle[1]) + offset
            return 0 if abs(value) <= doubt else int(math.copysign(1, value))

        return side

    return on


def walk(grid: Grid, side: Side) -> list[tuple[Wish, dict[Node, dict[object, int | None]]]]:
    """Every step, with what was known before it."""
    known: dict[Node, dict[object, int | None]] = {}
    steps = []
    while found := wishes(grid, known):  # type: ignore[arg-type]
        steps.append((found[0], dict(known)))
        known[found[0].node] = {KEY: side(found[0].node)}
    return steps


@settings(max_examples=60, deadline=None)
@given(grid=grids, plane=planes())
def test_no_place_twice_the_coarse_lattice_first_and_only_near_the_border(grid: Grid, plane: object) -> None:
    steps = walk(grid, plane(grid))  # type: ignore[operator]
    nodes = [wish.node for wish, _ in steps]

    assert len(nodes) == len(set(nodes)) <= grid.points
    assert all(0 <= column < len(grid.columns) and 0 <= row < len(grid.tokens) for column, row in nodes)
    kinds = [wish.why for wish, _ in steps]
    assert kinds == sorted(kinds, key=["coarse", "contour"].index)
    assert set(nodes[: kinds.count("coarse")]) == set(coarse_nodes(grid))
    for wish, known in steps:
        if wish.why == "contour":  # it lies in a cell that is uncertain: a certain one is never refined
            assert any(cell.holds(wish.node) and uncertain(cell, known) for cell in leaves(grid, known))


@settings(max_examples=60, deadline=None)
@given(grid=grids, plane=planes())
def test_at_the_end_the_border_is_between_neighbours(grid: Grid, plane: object) -> None:
    side = plane(grid)  # type: ignore[operator]
    steps = walk(grid, side)
    known = {wish.node: {KEY: side(wish.node)} for wish, _ in steps}
    for cell in leaves(grid, known):
        if uncertain(cell, known):
            assert cell.right - cell.left <= 1 or cell.upper - cell.lower <= 1


@settings(max_examples=40, deadline=None)
@given(grid=grids, plane=planes(), at=st.integers(0, 60))
def test_the_way_depends_on_what_is_known_alone(grid: Grid, plane: object, at: int) -> None:
    side = plane(grid)  # type: ignore[operator]
    steps = walk(grid, side)
    if at < len(steps):
        wish, known = steps[at]
        shuffled = dict(reversed(known.items()))
        assert wishes(grid, shuffled)[0] == wish


def test_a_map_that_is_certain_everywhere_needs_the_coarse_lattice_alone() -> None:
    grid = make_grid([(2**k, 2**k) for k in range(4, 13)], [2**k for k in range(10)], (4,), ("it",), 1)
    assert len(walk(grid, lambda _node: 1)) == len(coarse_nodes(grid)) < grid.points / 3


def test_a_map_that_is_doubtful_everywhere_is_measured_whole() -> None:
    grid = make_grid([(2**k, 2**k) for k in range(4, 10)], [1, 2, 4, 8, 16], (4,), ("it",), 1)
    assert len(walk(grid, lambda _node: 0)) == grid.points


def test_the_first_places_are_spread_over_the_map() -> None:
    grid = make_grid([(2**k, 2**k) for k in range(4, 13)], [2**k for k in range(9)], (4,), ("it",), 1)
    first = [wish.node for wish, _ in walk(grid, lambda _node: 1)][:4]
    assert set(first) == {(0, 0), (8, 8), (0, 8), (8, 0)}


def test_one_size_alone_is_measured_and_done() -> None:
    grid = make_grid([(64, 64)], [8], (4,), ("it",), 1)
    assert [wish.node for wish, _ in walk(grid, lambda _node: 0)] == [(0, 0)]
    assert list(leaves(grid, {})) == [Cell(0, 0, 0, 0)]
