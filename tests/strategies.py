"""Hypothesis strategies that several test folders share."""

from __future__ import annotations

from hypothesis import strategies as st

from dyad_core.geometry import VARIANTS, DyadGeometry


@st.composite
def geometries(
    draw: st.DrawFn, *, max_blocks: int = 6, max_runs: int = 4, variants: tuple[str, ...] = VARIANTS
) -> DyadGeometry:
    """Any legal geometry of moderate size: rectangular, every variant, grains, blocks smaller than n included."""
    n_blocks = draw(st.integers(1, max_blocks))
    grain = draw(st.sampled_from((1, 1, 2, 3)))
    block_in = grain * draw(st.integers(1, max_runs))
    block_out = grain * draw(st.integers(1, max_runs))
    variant = draw(st.sampled_from(variants))
    return DyadGeometry(n_blocks * block_in, n_blocks * block_out, n_blocks, variant, grain)
