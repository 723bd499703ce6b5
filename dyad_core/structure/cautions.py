"""Warnings about a chain, in words: what will not mix or not save, and the nearest choice that does.

Each warning is computed for the layers at hand with the same exact counts as the reach itself; none is a
rule of thumb.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry, Variant, divisors
from dyad_core.structure.counting import input_groupings, joint_groups, output_groupings
from dyad_core.structure.reach import reach_of, reach_when_repeated, reached_pairs
from dyad_core.structure.sizes import Chain
from dyad_core.structure.wording import percent

__all__ = ["cautions"]


def cautions(chain: Chain, *, full: bool) -> tuple[str, ...]:
    """Say what a reader of this chain's figures should know.

    Args:
        chain: layers that fit together.
        full: whether the whole chain reaches every pair.
    """
    return (*_saves_nothing(chain), *_never_mixes(chain), *_narrow(chain), *_holes(chain), *_splits(chain, full=full))


def _saves_nothing(chain: Chain) -> Iterator[str]:
    for layer, where in _places(chain).items():
        if layer.saves_nothing:
            least = 2 if layer.variant == "bd" else 3
            cost = "as many multiply-adds as dense" if layer.limit == 1.0 else "twice the multiply-adds of dense"
            yield f"{where}: n_blocks={layer.n_blocks} saves nothing, it costs {cost}; savings start at {least}{_cheaper(layer, least)}"


def _cheaper(layer: DyadGeometry, least: int) -> str:
    """The nearest n of these sizes that saves something, as half a sentence."""
    common = math.gcd(layer.in_features, layer.out_features)
    for n in divisors(common):
        try:
            other = replace(layer, n_blocks=n)
        except SpecError:  # this n does not go with this grain
            continue
        if not other.saves_nothing:
            return "" if n == least else f", the nearest here is n_blocks={n}"
    return ", but no such n_blocks divides both sizes: pad them"


def _never_mixes(chain: Chain) -> Iterator[str]:
    for layer, where in _places(chain).items():
        if layer.variant == "bd" and layer.n_blocks > 1:
            share = percent(1, layer.n_blocks)
            yield (
                f"{where}: BD has BLOCKDIAG alone, so its {layer.n_blocks} blocks never mix: such layers alone stay at "
                f"{share} at any depth; variants IT, OT and DT mix them"
            )


def _narrow(chain: Chain) -> Iterator[str]:
    for layer, where in _places(chain).items():
        if layer.variant == "bd":
            continue
        short = []
        for name, groupings in (("input", input_groupings(layer)), ("output", output_groupings(layer))):
            met = int(np.count_nonzero(joint_groups(*groupings), axis=1).min())
            if groupings[1].interleaved and met < layer.n_blocks:
                short.append(f"an {name} block of {groupings[0].block} features meets only {met}")
        if short:
            runs = "" if layer.grain == 1 else f" in runs of {layer.grain}"
            yield (
                f"{where}: blocks are too small for {layer.n_blocks} groups{runs}: {' and '.join(short)} of them, "
                f"so two layers may not mix everything{_wider(layer)}"
            )


def _wider(layer: DyadGeometry) -> str:
    """The nearest n and the paper's grain whose interleaved blocks meet every group, as half a sentence."""
    for grain in dict.fromkeys((layer.grain, 1)):
        candidates = divisors(math.gcd(layer.in_features, layer.out_features), layer.n_blocks)
        for n in reversed(candidates):
            try:
                other = replace(layer, n_blocks=n, grain=grain)
            except SpecError:  # this n does not go with this grain
                continue
            sides = (side for side in (other.input_side, other.output_side) if side.interleaved)
            if n > 2 and all(side.block >= n * grain for side in sides):
                return f"; n_blocks={n}{'' if grain == layer.grain else f' with grain={grain}'} meets all"
    return ""


def _holes(chain: Chain) -> Iterator[str]:
    places: dict[Chain, list[int]] = {}
    for index, (before, after) in enumerate(pairwise(chain), start=1):
        if (before.variant, after.variant) == ("it", "ot"):
            places.setdefault((before, after), []).append(index)
    for pair, indices in places.items():
        if (share := _share(pair)) is not None:
            where = ", ".join(f"{index} and {index + 1}" for index in indices)
            yield f"Layers {where}: IT followed by OT leaves holes, the pair reaches {share} of its pairs{_mended(pair)}"


def _mended(pair: Chain) -> str:
    """Variants for the two layers that reach everything, as half a sentence."""
    choices: tuple[tuple[Variant, Variant], ...] = (("it", "it"), ("ot", "ot"), ("ot", "it"), ("dt", "dt"))
    for choice in choices:
        try:
            other: Chain = tuple(replace(layer, variant=variant) for layer, variant in zip(pair, choice, strict=True))
        except SpecError:  # the grain does not divide the other side
            continue
        if _share(other) is None:
            return f"; {choice[0].upper()} followed by {choice[1].upper()} reaches 100 %"
    return ""


def _splits(chain: Chain, *, full: bool) -> Iterator[str]:
    """Chains that no repetition completes: equal square layers in a row, and the chain as a whole."""
    stacked = dict.fromkeys(before for before, after in pairwise(chain) if before == after and before.variant != "bd")
    for layer in stacked:
        if (found := _split((layer,))) is not None:
            yield (
                f"{_places(chain)[layer]}: a stack of this layer ({layer.variant.upper()}, n_blocks={layer.n_blocks}, block "
                f"{layer.block_in}) splits for ever: {found[0]} however deep it is{_unsplit(layer)}"
            )
    mixes = any(layer.variant != "bd" for layer in chain) and len(set(chain)) > 1
    if mixes and not full and chain[-1].out_features == chain[0].in_features and (found := _split(chain)) is not None:
        share, depth = found
        yield f"Repeating this whole chain never reaches 100 %: {share} after {depth} layers"


def _unsplit(layer: DyadGeometry) -> str:
    """Another variant of the same layer whose stack reaches everything, as half a sentence."""
    choices: tuple[Variant, ...] = ("it", "ot")
    for variant in choices:
        if variant != layer.variant and _split((replace(layer, variant=variant),)) is None:
            return f"; variant {variant.upper()} reaches 100 %"
    return ""


def _split(chain: Chain) -> tuple[str, int] | None:
    """Share reached after all useful repetitions and the layers that took; None when it is everything."""
    reach, depth = reach_when_repeated(chain)
    pairs, total = reached_pairs(reach, chain[0], chain[-1]), chain[0].in_features * chain[-1].out_features
    return None if pairs == total else (percent(pairs, total), depth)


def _share(chain: Chain) -> str | None:
    """Share of pairs reached through ``chain``; None when it is everything."""
    pairs, total = reached_pairs(reach_of(chain), chain[0], chain[-1]), chain[0].in_features * chain[-1].out_features
    return None if pairs == total else percent(pairs, total)


def _places(chain: Chain) -> dict[DyadGeometry, str]:
    """Each distinct layer with the words for where it stands: ``Layer 3``, ``Layers 1–4, 6``."""
    indices: dict[DyadGeometry, list[int]] = {}
    for index, layer in enumerate(chain, start=1):
        indices.setdefault(layer, []).append(index)
    return {layer: f"Layer{'s' if len(found) > 1 else ''} {_spans(found)}" for layer, found in indices.items()}


def _spans(indices: list[int]) -> str:
    spans: list[list[int]] = []
    for index in indices:
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)
