"""What the layer connects: exact, from the structure alone, and in the company it will have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.structure import Depth, reachability, stack
from dyad_core.structure.wording import percent
from dyad_core.verdict.records import Reach

__all__ = ["check_chain_holds", "reach_of"]


def reach_of(
    geometry: DyadGeometry, module: str, chain: Sequence[DyadGeometry] | None = None
) -> tuple[Reach | None, tuple[str, ...]]:
    """The reach of a layer with the one it works with, and the structure's warnings about them.

    Args:
        geometry: the measured layer; of a feed-forward, the first of its two.
        module: ``"linear"`` or ``"feed_forward"``.
        chain: other company than its way back or itself again; holds ``geometry``.

    Returns:
        None for a layer that is too large to count, and then one warning that says so.
    """
    return _reach(geometry, module, None if chain is None else tuple(chain))


def check_chain_holds(chain: Sequence[DyadGeometry] | None, geometry: DyadGeometry) -> None:
    """Refuse company that the layer is not part of.

    Raises:
        SpecError: it is not among ``chain``.
    """
    if chain is not None and geometry not in chain:
        raise SpecError([Problem("chain", "must hold the measured layer", [str(each) for each in chain][:4])])


@lru_cache(maxsize=256)
def _reach(
    geometry: DyadGeometry, module: str, chain: tuple[DyadGeometry, ...] | None
) -> tuple[Reach | None, tuple[str, ...]]:
    try:
        layers = chain or _company(geometry)
        found = reachability(layers)
    except SpecError as error:
        if chain is not None:
            raise
        return None, (f"its reach was not counted: {error.problems[0]}",)
    first, last = found.depths[0], found.depths[-1]
    reach = Reach(
        layers=found.layers,
        layer_share=first.reached_share,
        share=last.reached_share,
        reached_pairs=last.reached_pairs,
        total_pairs=last.total_pairs,
        full=last.full,
        connected_parts=last.connected_parts,
        text=_text(found.layers, module, percent(first.reached_pairs, first.total_pairs), last),
    )
    return reach, found.warnings


def _company(geometry: DyadGeometry) -> tuple[DyadGeometry, ...]:
    """The layer and its way back (a feed-forward pair), or itself twice where it is square; alone where neither is legal."""
    try:
        return stack(geometry, 2)
    except SpecError:  # the way back has no such grain
        return (geometry,)


def _text(layers: tuple[DyadGeometry, ...], module: str, own: str, last: Depth) -> str:
    pairs = percent(last.reached_pairs, last.total_pairs)
    parts = last.connected_parts
    apart = "" if parts == 1 else f" and falls into {parts} parts that nothing connects"
    if len(layers) == 1:
        return f"the layer connects {own} of its pairs of features{apart}"
    if module == "feed_forward":
        return f"the feed-forward pair connects {pairs} of its pairs of features{apart}"
    if len(layers) > 2 or layers[1].variant != layers[0].variant:
        return f"the layer connects {own} of its pairs of features, the chain of {len(layers)} {pairs}{apart}"
    follower = "itself" if layers[0] == layers[1] else "its way back"
    return f"the layer connects {own} of its pairs of features, followed by {follower} {pairs}{apart}"
