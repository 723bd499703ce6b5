"""Pictures of stacks, held against the library's own answers as the service sends them."""

from typing import Any

import numpy as np
import pytest

from dyad_core import DyadGeometry
from dyad_core.structure import advice, compare, heatmaps, locality, rank, reachability, trace
from frontend.figures.advice import advice_alt, advice_figure
from frontend.figures.alternatives import alternatives_alt, alternatives_figure
from frontend.figures.heat import hops_alt, hops_figure, path_map_alt, path_map_figure
from frontend.figures.locality import locality_alt, locality_figure
from frontend.figures.rank import rank_alt, rank_figure
from frontend.figures.route import route_alt, route_figure
from frontend.figures.stack import evenness_figure, parts_figure, paths_alt, paths_figure, reach_alt, reach_figure
from frontend.logic.chain_rows import (
    alternative_records,
    depth_records,
    heat_records,
    locality_records,
    path_records,
)
from frontend.logic.numbers import gap_of

MEGABYTE = 1_000_000
PAIR = [DyadGeometry(96, 384), DyadGeometry(384, 96)]
HOLES = [DyadGeometry(96, 384, 4, "it"), DyadGeometry(384, 96, 4, "ot")]
WIDE = [DyadGeometry(2**20, 2**20, 64)] * 4


def reach(chain: list[DyadGeometry]) -> Any:
    return reachability(chain, paths=True).to_dict()


def test_the_first_full_depth_is_marked_in_the_reach() -> None:
    answer = reach(PAIR)
    figure = reach_figure(answer)

    assert list(figure.data[0].y) == [43.75, 100.0]
    assert figure.layout.annotations[0].text == "full from depth 2"
    assert not reach_figure(reach(HOLES)).layout.annotations
    assert "2: 100.00 %" in reach_alt(answer)


def test_paths_stand_at_their_logarithm_and_none_below_one() -> None:
    depths = reach(PAIR)["depths"]
    figure = paths_figure(depths)
    lines = {trace.name: trace for trace in figure.data}
    gap = gap_of(np.log10(240))

    assert list(lines["fewest"].y) == pytest.approx([0, gap + np.log10(48)])
    assert list(lines["most"].y) == pytest.approx([gap + np.log10(2), gap + np.log10(240)])
    assert figure.layout.yaxis.ticktext[0] == "none "
    assert "2: 48 / 48 / 240" in paths_alt(depths)


def test_paths_known_by_their_logarithm_are_marked_so() -> None:
    depths = reach([DyadGeometry(768, 768)] * 24)["depths"]
    symbols = next(trace for trace in paths_figure(depths).data if trace.name == "median").marker.symbol

    assert depths[0]["paths"]["logarithmic"] is False
    assert symbols[0] == "circle"
    assert depths[-1]["paths"]["logarithmic"] is True
    assert symbols[-1] == "circle-open"
    assert "from its logarithm" in paths_alt(depths)
    assert "10⁵" in paths_alt(depths)


def test_evenness_and_parts_are_those_of_the_answer() -> None:
    answer = reach([DyadGeometry(256, 256, 32, "dt")] * 3)
    assert list(parts_figure(answer["depths"]).data[0].y) == [4, 4, 4]
    assert list(evenness_figure(answer["depths"]).data[0].y) == [
        entry["paths"]["evenness"] for entry in answer["depths"]
    ]
    assert depth_records(answer)[2]["paths_max"] == answer["depths"][2]["paths"]["max"]


def test_heat_maps_name_their_groups_and_show_holes() -> None:
    answer: Any = heatmaps(HOLES).to_dict()
    hops, paths = hops_figure(answer), path_map_figure(answer)
    records = heat_records(answer)

    assert "inputs 0–23: every 4th from 1 (6)" in hops.data[0].y
    said = np.asarray(hops.data[0].text)
    assert set(said.ravel()) == {"not joined", "2 layers"}
    assert (said == "not joined").sum() == sum(record["hops"] is None for record in records)
    assert (
        np.isnan(np.asarray(paths.data[0].z)).sum() == sum(record["log10_mean_paths"] is None for record in records) > 0
    )
    assert "not joined completely" in hops_alt(answer)
    assert "none" in path_map_alt(answer)


def test_wide_heat_maps_stay_below_one_megabyte() -> None:
    answer: Any = heatmaps(WIDE).to_dict()
    assert len(hops_figure(answer).to_json()) < MEGABYTE
    assert len(path_map_figure(answer).to_json()) < MEGABYTE


@pytest.mark.parametrize("depth", [2, 24])
def test_the_locality_curve_is_a_multiple_of_the_mean_exact_or_not(depth: int) -> None:
    answer: Any = locality([DyadGeometry(768, 768)] * depth).to_dict()
    figure = locality_figure(answer)
    mean = next(trace for trace in figure.data if trace.name == "mean")
    pairs = np.array(answer["pairs"])

    assert answer["logarithmic"] == (depth == 24)
    assert mean.y[0] == pytest.approx(answer["near_over_mean"])
    assert (np.array(mean.y) * pairs).sum() / pairs.sum() == pytest.approx(1)
    assert len(locality_records(answer)) == answer["cells"]
    assert "at distance 0" in locality_alt(answer)


def test_a_nearly_even_spread_is_drawn_near_one_and_an_even_one_from_nought() -> None:
    ranges = {
        depth: locality_figure(locality([DyadGeometry(2**20, 2**20, 64)] * depth).to_dict()).layout.yaxis.range  # type: ignore[arg-type] # as it is sent
        for depth in (2, 12)
    }
    even: Any = locality([DyadGeometry(768, 768)] * 48).to_dict()

    assert ranges[2][0] == 0
    assert 0.9 < ranges[12][0] < 1 < ranges[12][1] < 1.1
    assert locality_figure(even).layout.yaxis.range[0] == 0


def test_many_groups_are_named_by_their_blocks_level_and_few() -> None:
    answer: Any = heatmaps(WIDE).to_dict()
    figure = hops_figure(answer)

    assert len(figure.layout.xaxis.ticktext) <= 4
    assert len(figure.layout.yaxis.ticktext) <= 16
    assert figure.layout.yaxis.ticktext[0] == "0–131071"
    assert figure.layout.xaxis.tickangle == 0


def test_a_route_goes_through_each_block_of_the_path() -> None:
    answer: Any = trace(PAIR, 5, 70).to_dict()
    figure = route_figure(answer, answer["layers"])
    line = next(trace for trace in figure.data if trace.mode == "lines")
    features = next(trace for trace in figure.data if trace.name == "feature")

    assert list(line.x) == [0, 0.5, 1, 1.5, 2]
    assert features.text[0] == "input 5"
    assert features.text[-1] == "output 70"
    assert [record["layer"] for record in path_records(answer["path"])] == [1, 2]
    assert "layer 2" in route_alt(answer)


def test_other_structures_are_told_apart_without_colour() -> None:
    answer: Any = compare(PAIR).to_dict()["alternatives"]
    figure = alternatives_figure(answer)

    assert figure.data[-1].name == "DYAD"
    assert len({(line.line.dash, line.marker.symbol) for line in figure.data}) == len(answer) == 5
    assert len(alternative_records(answer)) == 10
    assert "block-diagonal: 50.0 % after one layer" in alternatives_alt(answer)


def test_the_rank_is_drawn_below_its_bound() -> None:
    answer: Any = rank([DyadGeometry(32, 64), DyadGeometry(64, 32)]).to_dict()
    figure = rank_figure(answer)

    assert list(figure.data[1].y) == [entry["rank"] for entry in answer["depths"]]
    assert f"1: {answer['depths'][0]['rank']} of 32" in rank_alt(answer)


def test_the_recommended_choice_is_the_largest_mark() -> None:
    answer: Any = advice(768, 3072).to_dict()
    figure = advice_figure(answer)
    chosen = answer["choices"][answer["recommended"]]
    own = next(trace for trace in figure.data if trace.name == chosen["variant"].upper())

    assert max(own.marker.size) == 18
    assert "recommended" in own.customdata[list(own.marker.size).index(18)]
    assert "IT n=4: 50.0 % of dense, full from depth 2" in advice_alt(answer)
