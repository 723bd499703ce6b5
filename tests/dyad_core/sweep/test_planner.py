"""Which point comes next under a budget."""

from __future__ import annotations

from dyad_core.sweep.grid import Node
from dyad_core.sweep.planner import DEAR_SHARE, Planner
from dyad_core.sweep.spec import SweepSpec

SPEC = SweepSpec(widths=(64, 128, 256, 512, 1024, 2048, 4096), tokens=(1, 16, 256, 4096, 65536), n_blocks=(4,))


def nothing(_node: Node) -> bool:
    return False


def learn(planner: Planner, node: Node, side: int | None) -> None:
    planner.learn(node, {(4, "it", "auto", "forward"): side})


def test_with_time_enough_the_first_points_are_the_ends_of_the_map() -> None:
    planner = Planner(SPEC)
    seen = []
    for _ in range(2):
        node = planner.next(1e7, nothing)
        assert node is not None
        seen.append(node)
        learn(planner, node, 1)
    assert seen == [(0, 0), (6, 4)]


def test_a_dear_point_waits_for_the_others() -> None:
    planner = Planner(SPEC)
    left_s = 300.0
    order = []
    while (node := planner.next(left_s, nothing)) is not None:
        order.append(planner.cost_s(node, left_s) > DEAR_SHARE * left_s)
        learn(planner, node, 1)
    assert order == sorted(order)
    assert planner.waiting  # the largest does not fit at all


def test_what_is_known_costs_nothing_and_comes_in_order() -> None:
    planner = Planner(SPEC)
    assert planner.next(0.01, nothing) is None
    assert planner.next(0.01, lambda node: node == (3, 2)) == (3, 2)


def test_a_dear_point_near_the_border_waits_too() -> None:
    spec = SweepSpec(widths=(64, 128, 256, 512), tokens=(1, 2, 4, 8), n_blocks=(4,))
    planner = Planner(spec)
    while (node := planner.next(1e6, nothing)) is not None:
        learn(planner, node, 1 if node[0] >= 2 else -1)
    assert not planner.waiting
    assert planner.expected() == len(planner.sides)


def test_the_timing_budget_is_within_its_bounds() -> None:
    planner = Planner(SPEC)
    assert planner.budget_s((0, 0), 0.1) == 1.0
    assert 1.0 < planner.budget_s((0, 0), 600.0) <= 60.0
    assert planner.budget_s((0, 0), 1e6) == 60.0
