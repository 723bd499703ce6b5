"""The heat maps: where cells, lines and marks lie, and what they say."""

import math
from dataclasses import replace

import pytest

from frontend.figures.crossover import crossover_alt, crossover_figure
from frontend.figures.crossover_marks import SYMBOLS
from frontend.logic.crossover import Key, Map, Point
from frontend.logic.outcomes import OUTCOMES

POINTS = (
    Point(64, 256, 16, "slower", 0.5, 0.4, 0.6),
    Point(256, 1024, 16, "faster", 2.0, 1.8, 2.2),
    Point(64, 256, 64, "not_distinguishable", 1.0, 0.9, 1.1),
    Point(256, 1024, 64, "out_of_memory", detail="it needs 9 GiB"),
)
MAP = Map(
    Key("forward", 4, "it", "auto"),
    (64, 128, 256),
    (16, 64),
    ((0.5, 1.1, 2.0), (1.0, None, None)),
    POINTS,
    lines=(((128.0, 16.0), (64.0, 64.0)),),
    low_lines=(((160.0, 16.0), (90.0, 64.0)),),
    high_lines=(((100.0, 16.0), (64.0, 40.0)),),
)


def test_both_axes_are_logarithmic_and_colour_diverges_around_even() -> None:
    figure = crossover_figure([MAP])
    heat = figure.data[0]

    assert list(heat.x) == [6, 7, 8]
    assert list(figure.layout.xaxis.ticktext) == ["64", "128", "256"]
    assert list(heat.z[0]) == [-1, pytest.approx(math.log2(1.1)), 1]
    assert heat.z[1][1] is None
    assert heat.zmin == -heat.zmax
    assert "1x" in heat.colorbar.ticktext
    assert "interpolated" in heat.text[0][1]
    assert "measured" in heat.text[0][0]


def test_the_contour_has_its_band_and_points_their_marks() -> None:
    figure = crossover_figure([MAP])
    contour = [
        trace for trace in figure.data if trace.type == "scatter" and trace.name == "1.0x" and trace.x[0] is not None
    ]
    band = [trace for trace in figure.data if trace.type == "scatter" and trace.fill == "toself"]

    assert list(contour[-1].x) == [7, 6]
    assert len(band) == 1
    assert len(band[0].x) == 4
    symbols = {trace.marker.symbol for trace in figure.data if trace.type == "scatter" and trace.customdata is not None}
    assert symbols == {"triangle-down", "triangle-up", "circle-open", "square-open"}
    said = [
        text
        for trace in figure.data
        if trace.type == "scatter"
        for text in trace.text or ()
        if isinstance(text, str) and text.endswith("x)")
    ]
    assert said == ["(1.10x)"], "what is interpolated stands in brackets"


def test_every_outcome_has_a_mark_of_its_own() -> None:
    assert set(SYMBOLS) == set(OUTCOMES) - {"pending"}
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)


def test_up_to_four_maps_share_scale_and_legend() -> None:
    maps = [replace(MAP, key=replace(MAP.key, n_blocks=n)) for n in (4, 8, 16, 32, 64)]
    figure = crossover_figure(maps)
    heats = [trace for trace in figure.data if trace.type == "heatmap"]

    assert len(heats) == 4
    assert [heat.showscale for heat in heats] == [True, False, False, False]
    assert len({(heat.zmin, heat.zmax) for heat in heats}) == 1
    names = [trace.name for trace in figure.data if trace.showlegend]
    assert len(names) == len(set(names))
    assert {heat.xaxis for heat in heats} == {"x", "x2", "x3", "x4"}
    assert "IT n=4, forward: 4 measured sizes, 1 faster, 1 slower" in crossover_alt(maps)


def test_a_sweep_that_knows_nothing_yet_can_be_drawn() -> None:
    empty = replace(MAP, speedup=((None,) * 3,) * 2, points=(), lines=(), low_lines=(), high_lines=())

    assert crossover_figure([empty]).layout.height > 300
    assert crossover_figure([replace(empty, widths=(64,), tokens=(16,), speedup=((None,),))]).layout.xaxis.range == (
        5.5,
        6.5,
    )
    assert crossover_figure([]).layout.height > 0
