"""The slow and obvious answers: whole matrices, straight from the index definition of the structure."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from dyad_core.geometry import VARIANTS, DyadGeometry, divisors


def blocks_of(features: int, n: int) -> np.ndarray:
    """BLOCKDIAG block of every feature."""
    return np.array([feature // (features // n) for feature in range(features)])


def groups_of(features: int, n: int, grain: int, *, interleaved: bool) -> np.ndarray:
    """BLOCKTRANS block of every feature."""
    if not interleaved:
        return blocks_of(features, n)
    return np.array([(feature // grain) % n for feature in range(features)])


def masks(geometry: DyadGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Where BLOCKDIAG and where BLOCKTRANS write the dense weight, each (out_features, in_features), bool."""
    n, grain, variant = geometry.n_blocks, geometry.grain, geometry.variant
    diagonal = blocks_of(geometry.out_features, n)[:, None] == blocks_of(geometry.in_features, n)[None, :]
    if variant == "bd":
        return diagonal, np.zeros_like(diagonal)
    outputs = groups_of(geometry.out_features, n, grain, interleaved=variant in ("ot", "dt"))
    inputs = groups_of(geometry.in_features, n, grain, interleaved=variant in ("it", "dt"))
    return diagonal, outputs[:, None] == inputs[None, :]


def reached_by_depth(chain: list[DyadGeometry]) -> list[np.ndarray]:
    """Which output each input reaches after 1, 2, … layers, each (out_features, in_features), bool."""
    reached = []
    for layer in chain:
        here = np.logical_or(*masks(layer))
        reached.append(here if not reached else here.astype(np.int64) @ reached[-1].astype(np.int64) > 0)
    return reached


def edges_of(geometry: DyadGeometry) -> np.ndarray:
    """Steps from each input (column) to each output (row), a doubly covered position counted twice, as integers."""
    diagonal, transposed = masks(geometry)
    return diagonal.astype(object) + transposed.astype(object)


def paths_by_depth(chain: list[DyadGeometry]) -> list[np.ndarray]:
    """Number of paths through 1, 2, … layers, each (out_features, in_features), Python integers."""
    counts: list[np.ndarray] = []
    for layer in chain:
        counts.append(edges_of(layer) if not counts else edges_of(layer) @ counts[-1])
    return counts


def parts_by_depth(chain: list[DyadGeometry]) -> list[int]:
    """Connected components of the layered graph of the first 1, 2, … layers, by union-find over all features."""
    parents = list(range(chain[0].in_features))

    def root(vertex: int) -> int:
        while parents[vertex] != vertex:
            parents[vertex] = vertex = parents[parents[vertex]]
        return vertex

    parts, begin = [], 0
    for layer in chain:
        after = len(parents)
        parents.extend(range(after, after + layer.out_features))
        for output, input in np.argwhere(np.logical_or(*masks(layer))).tolist():
            parents[root(begin + input)] = root(after + output)
        parts.append(sum(root(vertex) == vertex for vertex in range(len(parents))))
        begin = after
    return parts


WIDTHS = (6, 8, 12, 16, 18, 24, 30, 32, 36, 48, 60, 64)


@st.composite
def layers(draw: st.DrawFn, in_features: int | None = None, variants: tuple[str, ...] = VARIANTS) -> DyadGeometry:
    """Any legal layer: n that do and do not divide the block, every variant, grains, rectangular sizes."""
    sizes = (in_features or draw(st.sampled_from(WIDTHS)), draw(st.sampled_from(WIDTHS)))
    n = draw(st.sampled_from(divisors(math.gcd(*sizes))))
    variant = draw(st.sampled_from(variants))
    interleaved = [size for size, where in zip(sizes, (("it", "dt"), ("ot", "dt")), strict=True) if variant in where]
    grain = draw(st.sampled_from(divisors(math.gcd(*interleaved) // n)) if interleaved else st.integers(1, 9))
    return DyadGeometry(*sizes, n, variant, grain)


@st.composite
def chains(draw: st.DrawFn, max_layers: int = 5) -> list[DyadGeometry]:
    """Layers that fit each other: mixed sizes, n, variants and grains, or one square layer again and again."""
    chain = [draw(layers())]
    length = draw(st.integers(1, max_layers))
    if chain[0].in_features == chain[0].out_features and draw(st.booleans()):
        return chain * length
    while len(chain) < length:
        chain.append(draw(layers(chain[-1].out_features)))
    return chain
