"""Which n for given sizes: every legal choice, what it costs and saves, and how deep it must be stacked to mix.

The depth is that of an alternating stack: the layer itself again and again when it is square, else to and fro
between its two widths, as the feed-forward layers of a transformer are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import VARIANTS, DyadGeometry, Variant, divisors, positive_integer
from dyad_core.structure.paths import stack
from dyad_core.structure.reach import extend, link, reached_pairs, start
from dyad_core.structure.sizes import MAX_FEATURES, MAX_LAYERS, geometry_dict
from dyad_core.structure.wording import percent

__all__ = ["Advice", "Choice", "Padding", "advice"]

MAX_ADVICE_BLOCKS = 128
"""n that are listed: every legal one up to here takes about 0.1 s, where 256 would take four times as long."""

PREFERRED_BLOCKS = 4
"""The n of nearly all published quality runs of DYAD (arXiv 2312.06881); it saves half."""

PUBLISHED_BLOCKS = (4, 8)

PADDED_BLOCKS = (4, 8, 16)
"""The n that padding is worked out for."""


@dataclass(frozen=True)
class Choice:
    """One legal layer of the asked sizes.

    Attributes:
        geometry: the layer.
        first_full_depth: smallest depth of the alternating stack that reaches every pair; None when it never does,
            or when the grain allows no way back and one layer is not enough.
        reached_share_of_two: share of pairs that two layers of the stack reach, None without a way back.
    """

    geometry: DyadGeometry
    first_full_depth: int | None
    reached_share_of_two: float | None

    @property
    def saves(self) -> bool:
        """Whether it costs less than dense."""
        return not self.geometry.saves_nothing

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        layer = self.geometry
        return {
            **geometry_dict(layer),
            "parameters": layer.parameters,
            "flops_per_token": layer.flops(1),
            "share_of_dense": layer.parameters / layer.dense_parameters,
            "limit": layer.limit,
            "saves": self.saves,
            "density": layer.density,
            "first_full_depth": self.first_full_depth,
            "reached_share_of_two": self.reached_share_of_two,
        }


@dataclass(frozen=True)
class Padding:
    """Sizes a little larger that ``n_blocks`` divides.

    Attributes:
        geometry: the padded layer.
        share_of_dense: its parameters over those of the dense layer of the sizes asked for.
    """

    geometry: DyadGeometry
    share_of_dense: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        layer = self.geometry
        return {**geometry_dict(layer), "parameters": layer.parameters, "share_of_dense": self.share_of_dense}


@dataclass(frozen=True)
class Advice:
    """All choices for two sizes, and one of them.

    Attributes:
        in_features: asked for.
        out_features: asked for.
        choices: by n, then variant, then grain.
        recommended: index in ``choices``; None when none saves anything.
        reason: why, in one sentence.
        padding: sizes that n = 4, 8 and 16 divide, where these do not divide the sizes asked for.
        notes: what was left out.
    """

    in_features: int
    out_features: int
    choices: tuple[Choice, ...]
    recommended: int | None
    reason: str
    padding: tuple[Padding, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "dense_parameters": self.in_features * self.out_features,
            "choices": [choice.to_dict() for choice in self.choices],
            "recommended": self.recommended,
            "reason": self.reason,
            "padding": [padding.to_dict() for padding in self.padding],
            "notes": list(self.notes),
        }


def advice(
    in_features: int,
    out_features: int,
    *,
    variants: Sequence[Variant] = ("it", "ot", "dt"),
    grains: Sequence[int] = (1,),
) -> Advice:
    """List every n that divides both sizes and recommend one.

    Args:
        in_features: size of each input sample, at most 2**20.
        out_features: size of each output sample, at most 2**20.
        variants: to list, in the order of preference.
        grains: to list; a grain that does not fit an n is left out there.

    Raises:
        SpecError: when a size, a variant or a grain is wrong.
    """
    _check(in_features, out_features, variants, grains)
    in_features, out_features = int(in_features), int(out_features)
    shared = math.gcd(in_features, out_features)
    numbers = divisors(shared, MAX_ADVICE_BLOCKS)
    choices = tuple(
        choice
        for n in numbers
        for variant in variants
        for grain in grains
        if (choice := _choice(in_features, out_features, n, variant, grain)) is not None
    )
    padding = tuple(
        _padding(in_features, out_features, n, variants[0], grains[0]) for n in PADDED_BLOCKS if n not in numbers
    )
    recommended = _recommended(choices, variants)
    notes = []
    if shared > MAX_ADVICE_BLOCKS:
        notes.append(f"n_blocks above {MAX_ADVICE_BLOCKS} are left out")
    if left_out := [grain for grain in grains if not any(choice.geometry.grain == grain for choice in choices)]:
        notes.append(f"grains that fit no n_blocks here: {', '.join(map(str, left_out))}")
    reason = _reason(choices[recommended]) if recommended is not None else _why_none(in_features, out_features, padding)
    return Advice(in_features, out_features, choices, recommended, reason, padding, tuple(notes))


def _check(in_features: Any, out_features: Any, variants: Sequence[Any], grains: Sequence[Any]) -> None:
    problems = []
    for name, size in (("in_features", in_features), ("out_features", out_features)):
        if problem := positive_integer(name, size):
            problems.append(problem)
        elif size > MAX_FEATURES:
            problems.append(Problem(name, f"must be at most {MAX_FEATURES} for this answer", size))
    for name, values in (("variants", variants), ("grains", grains)):
        if not values:
            problems.append(Problem(name, "must name at least one", list(values)))
        elif len(set(values)) != len(values):
            problems.append(Problem(name, "must name each once", list(values)))
    for index, variant in enumerate(variants):
        if variant not in VARIANTS:
            problems.append(Problem(f"variants.{index}", f"must be one of {', '.join(VARIANTS)}", variant))
    problems += [
        problem
        for index, grain in enumerate(grains)
        if (problem := positive_integer(f"grains.{index}", grain)) is not None
    ]
    if problems:
        raise SpecError(problems)


def _choice(in_features: int, out_features: int, n: int, variant: Variant, grain: int) -> Choice | None:
    """The choice with its depth; None when the grain does not fit."""
    try:
        geometry = DyadGeometry(in_features, out_features, n, variant, grain)
    except SpecError:
        return None
    try:
        chain = stack(geometry, MAX_LAYERS)
    except SpecError:  # the grain does not fit on the way back
        return Choice(geometry, 1 if geometry.positions == geometry.dense_parameters else None, None)
    pairs = geometry.positions
    total = in_features * out_features
    if pairs == total:
        return Choice(geometry, 1, 1.0)
    reaches = [start(geometry)]
    two = None
    for depth in range(2, MAX_LAYERS + 1):
        layer = chain[depth - 1]
        reaches.append(extend(reaches[-1], link(chain[depth - 2], layer)))
        if depth > 3 and np.array_equal(reaches[-1], reaches[-3]):  # nothing new between equal widths: never more
            return Choice(geometry, None, two)
        pairs, total = reached_pairs(reaches[-1], geometry, layer), in_features * layer.out_features
        two = pairs / total if two is None else two
        if pairs == total:
            return Choice(geometry, depth, two)
    return Choice(geometry, None, two)


def _recommended(choices: tuple[Choice, ...], variants: Sequence[Variant]) -> int | None:
    """Index of the choice that saves, mixes soonest, and whose n is nearest to the published 4 by ratio."""
    saving = [index for index, choice in enumerate(choices) if choice.saves]

    def order(index: int) -> tuple[int, float, int, int]:
        choice = choices[index]
        n, grain = choice.geometry.n_blocks, choice.geometry.grain
        depth = choice.first_full_depth or MAX_LAYERS + 1
        return depth, abs(math.log(n / PREFERRED_BLOCKS)), variants.index(choice.geometry.variant), grain

    return min(saving, key=order, default=None)


def _reason(choice: Choice) -> str:
    layer = choice.geometry
    cost = percent(layer.parameters, layer.dense_parameters)
    depth = choice.first_full_depth
    mixing = (
        "no stack of it reaches every pair"
        if depth is None
        else f"every output depends on every input after {depth} such layer{'' if depth == 1 else 's'}"
    )
    published = (
        "published quality runs have this n_blocks"
        if layer.n_blocks in PUBLISHED_BLOCKS
        else f"it is the nearest here to the n_blocks of the published quality runs, {PREFERRED_BLOCKS}"
    )
    return f"n_blocks={layer.n_blocks} with {layer.variant.upper()} costs {cost} of dense, {mixing}, and {published}"


def _why_none(in_features: int, out_features: int, padding: tuple[Padding, ...]) -> str:
    text = (
        f"no n_blocks from 3 to {MAX_ADVICE_BLOCKS} divides both {in_features} and {out_features}, so nothing is saved"
    )
    if not padding:
        return text
    best = padding[0]
    layer = best.geometry
    return (
        f"{text}; padded to {layer.in_features}→{layer.out_features}, n_blocks={layer.n_blocks} costs "
        f"{percent(layer.parameters, in_features * out_features)} of the dense layer"
    )


def _padding(in_features: int, out_features: int, n: int, variant: Variant, grain: int) -> Padding:
    step = n * grain
    sizes = [-(-size // step) * step for size in (in_features, out_features)]
    geometry = DyadGeometry(sizes[0], sizes[1], n, variant, grain)
    return Padding(geometry, geometry.parameters / (in_features * out_features))
