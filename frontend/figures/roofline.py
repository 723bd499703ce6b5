"""The roofline: what the machine allows at each intensity, and where each candidate stands below it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, SERIES, base_layout
from frontend.logic import words
from frontend.logic.roofline import BOUNDS, Ceiling, Placed, gap_words

__all__ = ["roofline_alt", "roofline_figure"]


def roofline_figure(placed: Sequence[Placed], ceiling: Ceiling) -> go.Figure:
    """Draw attainable and attained GFLOP/s over FLOP per byte, both logarithmic; a line joins each candidate to the roof."""
    intensities = [each.intensity for each in placed] or [ceiling.ridge]
    low, high = min([*intensities, ceiling.ridge]) / 4, max([*intensities, ceiling.ridge]) * 4
    figure = go.Figure()
    xs = [low, ceiling.ridge, high]
    figure.add_trace(
        go.Scatter(
            x=xs,
            y=[ceiling.attainable(x) / 1e9 for x in xs],
            name="attainable here",
            mode="lines",
            line={"color": NEUTRAL, "width": 3},
            hovertemplate="attainable %{y:.4g} GFLOP/s at %{x:.3g} FLOP per byte<extra></extra>",
        )
    )
    for each in placed:
        figure.add_trace(
            go.Scatter(
                x=[each.intensity, each.intensity],
                y=[each.attained / 1e9, each.attainable / 1e9],
                mode="lines",
                line={"color": SERIES[each.row.variant].color, "width": 1.5, "dash": "dot"},
                hoverinfo="skip",
                showlegend=False,
            )
        )
    for variant, mark in SERIES.items():
        own = [each for each in placed if each.row.variant == variant]
        if not own:
            continue
        figure.add_trace(
            go.Scatter(
                x=[each.intensity for each in own],
                y=[each.attained / 1e9 for each in own],
                name=mark.name,
                mode="markers+text",
                marker={
                    "color": mark.color,
                    "symbol": mark.symbol,
                    "size": 13,
                    "line": {"color": NEUTRAL, "width": 0.5},
                },
                text=[f" {each.row.label} " for each in own],
                textposition=["middle left" if _is_right(each, low, high) else "middle right" for each in own],
                cliponaxis=False,
                customdata=[_hover(each) for each in own],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    bottom = min([each.attained for each in placed] or [ceiling.attainable(low)]) / 1e9 / 2
    top = max([ceiling.flops_per_s, *(each.attained for each in placed)]) / 1e9 * 1.7
    base_layout(figure, height=420, margin={"t": 50})
    figure.update_xaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        title="multiply-adds and additions per byte moved (FLOP/byte)",
        showgrid=True,
        zeroline=False,
        **_ticks(low, high),
    )
    figure.update_yaxes(
        type="log",
        range=[math.log10(bottom), math.log10(top)],
        title="GFLOP/s",
        showgrid=True,
        zeroline=False,
        **_ticks(bottom, top),
    )
    return figure


def _is_right(each: Placed, low: float, high: float) -> bool:
    return math.log(each.intensity / low) > 0.6 * math.log(high / low)


def _ticks(low: float, high: float) -> dict[str, list[float] | list[str]]:
    """Ones, twos and fives where there is room, else powers of ten."""
    steps = (1, 2, 5) if math.log10(high / low) < 3.5 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
    return {"tickvals": values, "ticktext": [f"{value:g}" for value in values]}


def _hover(each: Placed) -> str:
    return (
        f"<b>{each.row.label}</b> ({each.row.implementation})<br>"
        f"{each.attained / 1e9:.4g} of {each.attainable / 1e9:.4g} GFLOP/s attainable at {each.intensity:.3g} FLOP per byte<br>"
        f"predicted {words.milliseconds(each.predicted_ms)}, limited by {BOUNDS.get(each.bound, each.bound)}<br>"
        f"measured {words.milliseconds(each.measured_ms)}<br>"
        + gap_words(each).replace(", by", ",<br>by").replace(" (not", "<br>(not")
    )


def roofline_alt(placed: Sequence[Placed], ceiling: Ceiling) -> str:
    """Say the roofline in words."""
    parts = [
        f"{each.row.label} attains {each.attained / 1e9:.3g} of {each.attainable / 1e9:.3g} GFLOP/s, limited by "
        f"{BOUNDS.get(each.bound, each.bound)}"
        for each in placed
    ]
    return f"Roofline of {ceiling.words}: " + ("; ".join(parts) or "nothing placed") + "."
