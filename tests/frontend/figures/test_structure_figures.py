"""Pictures of the structure: exact, small, and labelled with real features."""

import numpy as np
import pytest

from dyad_core import DyadGeometry
from dyad_core.geometry import joint_counts
from dyad_core.structure import Window, connectivity, describe_entry, neighbours, pattern, reachability
from frontend.figures.connectivity import connectivity_figure
from frontend.figures.connectivity_words import connectivity_alt
from frontend.figures.pattern import pattern_alt, pattern_figure
from frontend.figures.reachability import reachability_alt, reachability_figure
from frontend.logic.geometry import Layer, overview_cells
from frontend.logic.pattern import PatternGrid, decode

MEGABYTE = 1_000_000


def known(layer: Layer) -> DyadGeometry:
    return DyadGeometry(**layer.to_json())


def grid_of(layer: Layer, window: Window | None = None, max_cells: int = 256) -> PatternGrid:
    return decode(pattern(known(layer), window=window, max_cells=max_cells).to_dict())  # type: ignore[arg-type] # as it is sent


@pytest.mark.parametrize(
    "layer",
    [
        Layer(768, 3072, 4),
        Layer(16384, 65536, 64, "dt"),
        Layer(2**20, 2**20, 16, "ot"),
        Layer(770, 770, 7),
        Layer(1000, 3000, 8, "bd"),
    ],
)
def test_a_whole_weight_is_a_figure_below_one_megabyte(layer: Layer) -> None:
    figure = pattern_figure(grid_of(layer, max_cells=overview_cells(layer)))
    assert len(figure.to_json()) < MEGABYTE


@pytest.mark.parametrize("variant", ["it", "dt"])
def test_a_close_up_is_a_figure_below_one_megabyte_too(variant: str) -> None:
    grid = grid_of(Layer(16384, 65536, 4, variant), Window(16300, 16396, 4000, 4096))
    assert grid.single_entries
    assert len(pattern_figure(grid).to_json()) < MEGABYTE


def test_entries_of_one_kind_share_one_colour_and_kinds_differ() -> None:
    grid = grid_of(Layer(768, 3072, 4), Window(744, 792, 168, 216))
    index = np.asarray(pattern_figure(grid).data[0].z)
    kinds = grid.blockdiag + 2 * grid.blocktrans + 3 * grid.both

    assert {len(np.unique(index[kinds == kind])) for kind in range(4)} == {1}
    assert len(np.unique(index)) == 4


def test_block_borders_are_lines_for_few_blocks_and_ticks_for_many() -> None:
    few = pattern_figure(grid_of(Layer(768, 3072, 4)))
    many = pattern_figure(grid_of(Layer(4096, 4096, 64)))

    assert len(few.layout.shapes) == 6
    assert list(few.layout.xaxis.ticktext) == ["0", "192", "384", "576", "768"]
    assert not many.layout.shapes
    assert many.layout.xaxis.ticks == "outside"
    assert few.layout.xaxis.title.text == "input feature (index)"
    assert few.layout.yaxis.title.text == "output feature (index)"


@pytest.mark.parametrize("cells", [48, 128, 256])
def test_no_tick_lies_where_plotly_would_name_a_cell_by_it(cells: int) -> None:
    """In hover texts Plotly names a cell by a tick that lies on the cell's beginning or centre, within 1/10000 of the axis."""
    axis = pattern_figure(grid_of(Layer(2048, 2048, 4), max_cells=cells)).layout.xaxis
    halves = 2 * np.asarray(axis.tickvals)

    away = np.abs(halves - np.rint(halves)) / 2
    assert (away > cells / 10_000).all()
    assert (away < 0.1).all(), "nobody sees it"
    assert np.array_equal(np.clip(axis.tickvals, *axis.range), axis.tickvals), "every name is drawn"


def test_the_marked_window_is_outlined_and_large_enough_to_see() -> None:
    figure = pattern_figure(grid_of(Layer(16384, 65536, 4)), marked=(16360, 16408, 4072, 4120))
    outline = next(shape for shape in figure.layout.shapes if shape.type == "rect")

    assert outline.x1 - outline.x0 >= 5
    assert outline.x0 < 63.5 < outline.x1


def test_the_figure_is_the_same_every_time() -> None:
    layer = Layer(768, 3072, 8, "ot")
    assert pattern_figure(grid_of(layer)).to_json() == pattern_figure(grid_of(layer)).to_json()


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
@pytest.mark.parametrize(("n", "width"), [(4, 1024), (16, 4096), (64, 1024)])
def test_the_graph_has_a_node_per_block_and_a_line_per_meeting(variant: str, n: int, width: int) -> None:
    """At 64 blocks of 16 features the meetings of a dealt side are some, not all: lines too."""
    layer = Layer(width, 64 * 16, n, variant)
    answer = connectivity(known(layer)).to_dict()
    figure = connectivity_figure(answer)  # type: ignore[arg-type] # as it is sent
    hubs = [trace for trace in figure.data if trace.name in ("BLOCKDIAG", "BLOCKTRANS")]

    assert sum(len(trace.x) for trace in hubs) == n * (1 if variant == "bd" else 2)
    lines = sum(len(trace.x) // 3 for trace in figure.data if trace.mode == "lines")
    meetings = 0
    if variant != "bd":
        sides = known(layer).input_side, known(layer).output_side
        meetings = sum(int((joint_counts(side) > 0).sum()) for side in sides)
    assert lines == 2 * n + meetings
    assert len(figure.to_json()) < MEGABYTE
    assert f"n = {n}" in connectivity_alt(answer)  # type: ignore[arg-type] # as it is sent


def test_many_blocks_that_all_meet_are_one_face_and_not_thousands_of_lines() -> None:
    answer = connectivity(known(Layer(2**20, 2**20, 64, "dt"))).to_dict()
    figure = connectivity_figure(answer)  # type: ignore[arg-type] # as it is sent

    assert [trace.fill for trace in figure.data].count("toself") == 2
    assert sum(len(trace.x) // 3 for trace in figure.data if trace.mode == "lines" and not trace.fill) == 2 * 64
    assert len(figure.to_json()) < 100_000


@pytest.mark.parametrize(("side", "feature"), [("input", 5), ("output", 700)])
@pytest.mark.parametrize("n", [4, 64])
def test_a_followed_feature_has_a_strong_line_to_each_block_it_meets(side: str, feature: int, n: int) -> None:
    geometry = known(Layer(4096, 4096, n, "dt"))
    answer = connectivity(geometry).to_dict()
    chosen = neighbours(geometry, **{side: feature}).to_dict()
    figure = connectivity_figure(answer, chosen)  # type: ignore[arg-type] # as it is sent

    strong = [trace for trace in figure.data if trace.legendgroup == "chosen"]
    # BLOCKDIAG: the feature's block, its hub, one block; BLOCKTRANS: the block, its hub, all n blocks.
    assert [len(trace.x) // 3 for trace in strong] == [2, 1 + n]
    assert figure.data[-1].name == f"{side} {feature}"
    assert f"{side.capitalize()} {feature}" in connectivity_alt(answer, chosen)  # type: ignore[arg-type] # as it is sent


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
@pytest.mark.parametrize(("feature", "output"), [(5, 700), (0, 0), (60, 1023), (17, 900)])
def test_the_way_between_two_features_goes_through_every_block_that_joins_them(
    variant: str, feature: int, output: int
) -> None:
    layer = Layer(64, 1024, 4, variant)
    joined = layer.meeting_blocks(feature, output)
    entry = describe_entry(known(layer), output, feature)
    answer = connectivity(known(layer)).to_dict()
    chosen = neighbours(known(layer), input=feature).to_dict()
    pair = (feature, output, joined)
    figure = connectivity_figure(answer, chosen, pair)  # type: ignore[arg-type] # as it is sent

    assert sorted(joined) == sorted((part.component, part.block) for part in entry.parameters)
    way = [trace for trace in figure.data if trace.legendgroup == "way"]
    assert sum(len(trace.x) // 3 for trace in way) == 2 * len(joined)
    assert [trace.name for trace in figure.data][-2:] == [f"input {feature}", f"output {output}"]
    said = connectivity_alt(answer, chosen, pair)  # type: ignore[arg-type] # as it is sent
    assert ("No block of this layer" in said) == (not joined)


def test_reach_is_drawn_exactly_with_the_chosen_variant_on_top() -> None:
    chains = {
        variant: reachability([known(Layer(64, 64, 4, variant))] * 3).to_dict() for variant in ("it", "ot", "dt", "bd")
    }
    figure = reachability_figure(chains, "it")  # type: ignore[arg-type] # as it is sent

    assert figure.data[-1].name == "IT"
    assert list(figure.data[-1].y) == [43.75, 100.0, 100.0]
    assert list(next(trace for trace in figure.data if trace.name.startswith("BD")).y) == [25.0, 25.0, 25.0]
    assert "1: 43.75 %" in reachability_alt(chains["it"], "it")  # type: ignore[arg-type] # as it is sent


def test_a_pattern_in_words_names_density_and_window() -> None:
    layer = Layer(768, 3072, 4)
    answer = pattern(known(layer), max_cells=64).to_dict()
    assert "43.75 % of the whole matrix" in pattern_alt(decode(answer), answer["totals"])  # type: ignore[arg-type] # as it is sent
