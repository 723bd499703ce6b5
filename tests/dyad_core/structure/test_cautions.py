"""Warnings appear when, and only when, the counts say so, and name a choice that avoids them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from dyad_core import DyadGeometry
from dyad_core.structure import reachability

from .oracle import chains, reached_by_depth


def warnings_of(*chain: DyadGeometry) -> tuple[str, ...]:
    return reachability(chain).warnings


@pytest.mark.parametrize("variant", ["it", "ot", "dt"])
def test_a_sound_feed_forward_pair_has_no_warning(variant: str):
    assert warnings_of(DyadGeometry(768, 3072, 4, variant), DyadGeometry(3072, 768, 4, variant)) == ()


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            DyadGeometry(8, 8, 2),
            "n_blocks=2 saves nothing, it costs as many multiply-adds as dense; savings start at 3",
        ),
        (
            DyadGeometry(8, 8, 1),
            "n_blocks=1 saves nothing, it costs twice the multiply-adds of dense; savings start at 3, the nearest here is "
            "n_blocks=4",
        ),
        (DyadGeometry(14, 10, 2), "savings start at 3, but no such n_blocks divides both sizes: pad them"),
        (DyadGeometry(8, 8, 1, "bd"), "saves nothing, it costs as many multiply-adds as dense; savings start at 2"),
    ],
)
def test_n_that_saves_nothing(layer: DyadGeometry, words: str):
    (warning,) = warnings_of(layer)
    assert words in warning


def test_block_diagonal_alone_never_mixes():
    (warning,) = warnings_of(*[DyadGeometry(16, 16, 4, "bd")] * 12)
    assert warning.startswith("Layers 1–12: BD has BLOCKDIAG alone")
    assert "25.0 %" in warning


def test_it_followed_by_ot_names_the_layers_and_a_pair_without_holes():
    down, up = DyadGeometry(64, 256, 4, "it"), DyadGeometry(256, 64, 4, "ot")
    (warning,) = warnings_of(down, up, down, up)
    assert warning == (
        "Layers 1 and 2, 3 and 4: IT followed by OT leaves holes, the pair reaches 67.2 % of its pairs; "
        "IT followed by IT reaches 100 %"
    )


def test_blocks_too_small_for_their_groups_name_the_nearest_n():
    (warning,) = warnings_of(DyadGeometry(64, 256, 16, "it"))
    assert "an input block of 4 features meets only 4 of them" in warning
    assert warning.endswith("n_blocks=8 meets all")


def test_grain_can_make_blocks_too_small():
    (warning,) = warnings_of(DyadGeometry(64, 64, 4, "it", grain=16))
    assert "4 groups in runs of 16" in warning
    assert warning.endswith("n_blocks=4 with grain=1 meets all")


def test_both_sides_of_dt_are_checked():
    (warning,) = warnings_of(DyadGeometry(64, 128, 16, "dt"))
    assert "an input block of 4 features meets only 4" in warning
    assert "an output block of 8 features meets only 8" in warning


@pytest.mark.parametrize(("width", "n", "share"), [(64, 16, "25.0 %"), (768, 48, "33.3 %")])
def test_dt_that_splits_for_ever(width: int, n: int, share: str):
    warning = warnings_of(*[DyadGeometry(width, width, n, "dt")] * 3)[-1]
    assert (
        f"Layers 1–3: a stack of this layer (DT, n_blocks={n}, block {width // n}) splits for ever: {share}" in warning
    )
    assert warning.endswith("however deep it is; variant IT reaches 100 %")
    assert not any("splits" in text for text in warnings_of(*[DyadGeometry(width, width, n, "it")] * 3))


def test_a_chain_that_no_repetition_completes():
    there, back = DyadGeometry(16, 32, 16, "it"), DyadGeometry(32, 16, 16, "ot")
    assert reached_by_depth([there, back] * 12)[-1].mean() == 1 / 16
    assert "Repeating this whole chain never reaches 100 %: 6.2 % after" in warnings_of(there, back)[-1]
    assert not any("Repeating" in text for text in warnings_of(there, there.transposed, DyadGeometry(16, 64, 4)))


@settings(max_examples=60)
@given(chains(max_layers=3))
def test_warnings_are_true(chain: list[DyadGeometry]):
    answer = reachability(chain)
    text = "\n".join(answer.warnings)
    assert ("saves nothing" in text) == any(layer.parameters >= layer.dense_parameters for layer in chain)
    assert ("BLOCKDIAG alone" in text) == any(layer.variant == "bd" and layer.n_blocks > 1 for layer in chain)
    for index, (before, after) in enumerate(zip(chain, chain[1:], strict=False), start=1):
        holes = re.search(rf"\b{index} and {index + 1}\b[^:]*: IT followed by OT", text)
        if (before.variant, after.variant) == ("it", "ot"):
            assert (holes is not None) == (not reached_by_depth([before, after])[-1].all())
        else:
            assert holes is None
    if "Repeating this whole chain" in text:
        assert not reached_by_depth(chain * 10)[-1].all()


@settings(max_examples=60)
@given(chains(max_layers=1))
def test_small_blocks_are_warned_of_exactly_when_a_group_is_not_met(chain: list[DyadGeometry]):
    (layer,) = chain[:1]
    unmet = False
    for side, interleaved in ((layer.input_side, ("it", "dt")), (layer.output_side, ("ot", "dt"))):
        if layer.variant in interleaved:
            pairs = {(feature // side.block, feature // side.run % side.n_blocks) for feature in range(side.features)}
            unmet |= len(pairs) < side.n_blocks**2
    assert any("blocks are too small" in text for text in reachability([layer]).warnings) == unmet
