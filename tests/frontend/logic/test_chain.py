"""Chains as rows, as text of an address, and edited."""

import pytest

from frontend.logic.chain import (
    PRESETS,
    Chain,
    from_records,
    preset_of,
    read_chain,
    records,
    write_chain,
)
from frontend.logic.geometry import Layer

MIXED = Chain((Layer(96, 384, 8, "it", 2), Layer(384, 96, 4, "ot"), Layer(96, 96, 3, "dt")), 5)


@pytest.mark.parametrize("chain", [*PRESETS.values(), MIXED], ids=[*PRESETS, "mixed"])
def test_an_address_says_the_whole_chain(chain: Chain) -> None:
    assert read_chain(write_chain(chain)) == chain


def test_twelve_feed_forwards_are_a_short_text() -> None:
    assert write_chain(PRESETS["OPT-125m stack"]) == "12~768x3072.4.it_3072x768.4.it"
    assert PRESETS["OPT-125m stack"].words == "12 × [768 → 3072 → 768]"


@pytest.mark.parametrize(
    "text",
    [None, "", "12~", "x", "0~8x8.2.it", "8x8.2.zz", "8x8.2", "8x8.2.it_", "-1~8x8.2.it", "9" * 5000, "8x8.2.it.g"],
)
def test_what_is_no_chain_is_left_out(text: str | None) -> None:
    assert read_chain(text) is None


def test_a_table_gives_the_chain_back_and_a_new_row_fits_the_one_before() -> None:
    assert from_records(records(MIXED), 5) == MIXED
    nan = float("nan")
    grown = from_records([*records(Chain((Layer(96, 384, 8),))), {"in_features": nan, "n_blocks": None}], 1)
    assert grown.unit[1] == Layer(384, 96, 8)
    assert from_records([], 1).unit == (Layer(768, 3072),)


def test_rows_are_duplicated_removed_and_added() -> None:
    assert MIXED.duplicated(1).unit[1:3] == (MIXED.unit[1],) * 2
    assert MIXED.removed(0).unit == MIXED.unit[1:]
    assert Chain((Layer(8, 8),)).removed(0).unit == (Layer(8, 8),)
    assert Chain((Layer(8, 16),)).extended().unit[1] == Layer(16, 8)


def test_one_control_for_every_layer_and_none_where_they_differ() -> None:
    assert MIXED.common("n_blocks") is None
    same = MIXED.with_every(n_blocks=2)
    assert same.common("n_blocks") == 2
    assert preset_of(PRESETS["square stack"].with_every(variant="dt")) == "square stack"
    assert preset_of(MIXED) is None


def test_a_layer_is_stacked_with_its_way_back() -> None:
    assert Chain((Layer(8, 16),)).stacked(12) == Chain((Layer(8, 16), Layer(16, 8)), 6)
    assert Chain((Layer(8, 8),)).stacked(12) == Chain((Layer(8, 8),), 12)
