"""Which point comes next and how long it may take, so that whatever the budget the map is best known near 1.0x."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from dyad_core.sweep.cost import START_S, Pace
from dyad_core.sweep.figures import Key
from dyad_core.sweep.grid import Node
from dyad_core.sweep.refine import Wish, coarse_nodes, wishes
from dyad_core.sweep.spec import SweepSpec

__all__ = ["Planner"]

DEAR_SHARE = 0.25
"""A point that would take more of what is left than this waits until the others are measured."""

LEAST_S, MOST_S = 1.0, 60.0
"""Timing budget of one point: less tells nothing, more is better spent on another point."""


class Planner:
    """What is known so far, and what is worth measuring next.

    Args:
        spec: of the sweep.
        machines: how many measure side by side; the time of all of them is shared out.
    """

    def __init__(self, spec: SweepSpec, machines: int = 1) -> None:
        """Begin with nothing known."""
        self.spec, self.machines, self.pace = spec, machines, Pace()
        self._coarse = frozenset(coarse_nodes(spec.grid))
        self.sides: dict[Node, Mapping[Key, int | None]] = {}
        self.waiting = False
        """Whether the last answer of :meth:`next` left wishes that no longer fit into the budget."""
        self._wishes: list[Wish] | None = None

    def wishes(self) -> list[Wish]:
        """What is worth measuring, best first."""
        if self._wishes is None:
            self._wishes = wishes(self.spec.grid, self.sides)
        return self._wishes

    def next(self, left_s: float, is_known: Callable[[Node], bool], under_way: Collection[Node] = ()) -> Node | None:
        """The place to measure next; None when nothing is left, or nothing that fits, or nothing before more is known.

        The coarse lattice first, always the place farthest from what is measured, then the contour; a place that would
        take much of what is left waits until the others are measured. A place that is known already costs nothing.
        While a place of the coarse lattice is under way the contour waits, for it may run elsewhere.
        """
        wishes = [wish for wish in self.wishes() if wish.node not in under_way]
        ranked = sorted(self._rank(wish, left_s, free=is_known(wish.node)) for wish in wishes)
        self.waiting = bool(ranked)
        coarse_only = any(
            node in self._coarse and self.cost_s(node, left_s) <= DEAR_SHARE * left_s for node in under_way
        )
        fitting = [node for _, near, _, cost_s, node in ranked if cost_s <= left_s and not (near and coarse_only)]
        return fitting[0] if fitting else None

    def _rank(self, wish: Wish, left_s: float, *, free: bool) -> tuple[bool, bool, float, float, Node]:
        cost_s = 0.0 if free else self.cost_s(wish.node, left_s)
        return cost_s > DEAR_SHARE * left_s, wish.why == "contour", -wish.value, cost_s, wish.node

    def learn(self, node: Node, sides: Mapping[Key, int | None]) -> None:
        """A place was measured."""
        self.sides[node] = sides
        self._wishes = None

    def took(self, node: Node, budget_s: float, seconds: float) -> None:
        """Its measurement took so long."""
        self.pace.took(self._round_s(node), budget_s, seconds)

    def expected(self) -> int:
        """About how many points the map will need in all: what is wished for now, and a border across the lattice."""
        grid = self.spec.grid
        guess = len(self._coarse) + len(grid.columns) + len(grid.tokens)
        open_now = len(self.wishes())
        # Every wish near the contour brings further ones, fewer and fewer.
        likely = max(guess, len(self.sides) + 2 * open_now) if open_now else len(self.sides)
        return min(likely, grid.points, max(self.spec.max_points, len(self.sides)))

    def budget_s(self, node: Node, left_s: float) -> float:
        """The timing budget of a point: an equal share of what is left, start-up taken off."""
        points = max(1, self.expected() - len(self.sides))
        share = left_s * min(self.machines, points) / points - START_S
        return round(min(MOST_S, max(LEAST_S, share, min(2 * self._round_s(node), left_s / 4))), 2)

    def cost_s(self, node: Node, left_s: float) -> float:
        """Seconds that a place will take, by what is known so far."""
        return self.pace.predict(self._round_s(node), self.budget_s(node, left_s))

    def _round_s(self, node: Node) -> float:
        return self.spec.round_s(self.spec.grid.columns[node[0]], self.spec.grid.tokens[node[1]])
