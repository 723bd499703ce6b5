"""Who meets whom in one layer, in words: beside the graph, and for those who do not see it."""

from __future__ import annotations

from collections.abc import Sequence

from frontend.figures.style import COMPONENTS
from frontend.logic import words
from frontend.schemas import ConnectivityJson, NeighboursJson, SpreadJson

__all__ = ["Meeting", "connectivity_alt", "neighbour_words", "pair_words", "spread_words"]

Meeting = tuple[int, int, Sequence[tuple[str, int]]]
"""An input, an output, and the blocks (component and number) through which one layer joins them."""


def spread_words(spread: SpreadJson) -> str:
    """Write a count that may differ between features: ``336`` or ``330 to 338``."""
    low, high = words.count(spread["min"]), words.count(spread["max"])
    return low if low == high else f"{low} to {high}"


def pair_words(pair: Meeting) -> str:
    """Say through which blocks one layer joins an input and an output, if any."""
    feature, output, blocks = pair
    if not blocks:
        return f"No block of this layer joins input {feature} and output {output}."
    through = " and ".join(f"{COMPONENTS[component].name} block {block}" for component, block in blocks)
    return f"This layer joins input {feature} to output {output} through {through}."


def connectivity_alt(
    connectivity: ConnectivityJson,
    chosen: NeighboursJson | None = None,
    pair: Meeting | None = None,
) -> str:
    """Say the graph in words."""
    geometry = connectivity["geometry"]
    text = (
        f"Graph of {geometry['variant'].upper()} with n = {geometry['n_blocks']}: each output reads "
        f"{spread_words(connectivity['reads_per_output'])} of {geometry['in_features']} inputs, each input feeds "
        f"{spread_words(connectivity['feeds_per_input'])} of {geometry['out_features']} outputs."
    )
    if chosen is not None:
        text += f" {neighbour_words(chosen)}"
    return text if pair is None else f"{text} {pair_words(pair)}"


def neighbour_words(chosen: NeighboursJson) -> str:
    """Say what the chosen feature is joined to, per component."""
    verb, other = ("feeds", "outputs") if chosen["side"] == "input" else ("reads", "inputs")
    parts = [
        f"through {COMPONENTS[partner['component']].name} block {partner['block']} the {words.count(partner['count'])} "
        f"{other} {partner['description']}"
        for partner in chosen["components"]
    ]
    return (
        f"{chosen['side'].capitalize()} {chosen['feature']} {verb} {words.count(chosen['count'])} {other}: "
        + "; ".join(parts)
        + "."
    )
