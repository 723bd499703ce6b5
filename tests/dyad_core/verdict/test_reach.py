from __future__ import annotations

import pytest

from dyad_core.geometry import DyadGeometry
from dyad_core.structure import reachability, stack
from dyad_core.verdict.reach import reach_of


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
@pytest.mark.parametrize("module", ["linear", "feed_forward"])
def test_a_layer_is_counted_with_its_way_back(variant, module: str) -> None:
    geometry = DyadGeometry(96, 384, 4, variant)
    reach, warnings = reach_of(geometry, module)
    exact = reachability(stack(geometry, 2))

    assert reach is not None
    assert reach.layers == (geometry, DyadGeometry(384, 96, 4, variant))
    assert (reach.reached_pairs, reach.total_pairs) == (exact.depths[1].reached_pairs, 96 * 96)
    assert reach.layer_share == exact.depths[0].reached_share == geometry.density
    assert reach.connected_parts == exact.depths[1].connected_parts
    assert warnings == exact.warnings
    assert ("feed-forward pair" in reach.text) == (module == "feed_forward")


def test_a_square_layer_follows_itself_and_may_split() -> None:
    reach, warnings = reach_of(DyadGeometry(256, 256, 32, "dt"), "linear")

    assert reach is not None
    assert reach.share == 0.25
    assert "followed by itself 25.0 % and falls into" in reach.text
    assert any("splits for ever" in text for text in warnings)


def test_a_layer_without_a_legal_way_back_stands_alone() -> None:
    reach, _ = reach_of(DyadGeometry(12, 6, 2, "it", 6), "linear")

    assert reach is not None
    assert len(reach.layers) == 1
    assert reach.share == reach.layer_share
    assert reach.text.startswith("the layer connects ")


def test_other_company_can_be_named() -> None:
    geometry = DyadGeometry(96, 384, 4, "it")
    reach, warnings = reach_of(geometry, "linear", [geometry, DyadGeometry(384, 96, 4, "ot")])

    assert reach is not None
    assert reach.share == pytest.approx(43 / 64)
    assert any("leaves holes" in text for text in warnings)


def test_what_is_too_large_to_count_is_said() -> None:
    reach, warnings = reach_of(DyadGeometry(2**10, 2**10, 512, "it"), "linear")

    assert reach is None
    assert "its reach was not counted" in warnings[0]
