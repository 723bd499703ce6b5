"""Cost against depth of full reach, one mark per legal choice."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, VARIANTS, figure_of
from frontend.logic import words
from frontend.schemas_chain import AdviceJson

__all__ = ["advice_alt", "advice_figure"]


def advice_figure(found: AdviceJson) -> go.Figure:
    """Draw parameters as a share of dense against the depth from which everything is reached.

    Variants of one n cost the same: they stand side by side, a little apart.
    """
    choices = list(enumerate(found["choices"]))
    known = [choice["first_full_depth"] for _, choice in choices if choice["first_full_depth"] is not None]
    never = max(known, default=1) + 1
    some_never = len(known) < len(choices)
    variants = [name for name in VARIANTS if any(choice["variant"] == name for _, choice in choices)]
    traces = []
    for place, name in enumerate(variants):
        mark = VARIANTS[name]
        own = [(at, choice) for at, choice in choices if choice["variant"] == name]
        shift = 1 + 0.03 * (place - (len(variants) - 1) / 2)
        traces.append(
            {
                "type": "scatter",
                "x": [100 * choice["share_of_dense"] * shift for _, choice in own],
                "y": [choice["first_full_depth"] or never for _, choice in own],
                "name": mark.name,
                "mode": "markers",
                "marker": {
                    "color": mark.color,
                    "symbol": mark.symbol,
                    "size": [18 if at == found["recommended"] else 10 for at, _ in own],
                    "line": {"color": NEUTRAL, "width": 1},
                },
                "customdata": [
                    f"<b>{name.upper()} n = {choice['n_blocks']}</b>"
                    + (", recommended" if at == found["recommended"] else "")
                    + f"<br>{words.percent(choice['share_of_dense'], 1)} of dense, "
                    + (f"full from depth {full}" if (full := choice["first_full_depth"]) else "never full")
                    for at, choice in own
                ],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    numbers = sorted({choice["n_blocks"] for _, choice in choices})
    shares = {choice["n_blocks"]: 100 * choice["share_of_dense"] for _, choice in choices}
    named: list[int] = []
    for n in numbers:  # from the most costly down; names that would touch are left out
        if not named or shares[named[-1]] / shares[n] > (shares[numbers[0]] / shares[numbers[-1]]) ** 0.06:
            named.append(n)
    ticks = sorted({1, never - 1, *known}) if never <= 10 else sorted({1, *range(4, never, 4)})
    return figure_of(
        traces,
        height=340,
        margin={"t": 48},
        xaxis={
            "type": "log",
            "title": "cost: n, and share of dense",
            "tickvals": [shares[n] for n in named],
            "ticktext": [f"n={n}<br>{shares[n]:.3g} %" for n in named],
            "tickangle": 0,
            # A single n would fill the axis with the little that its variants stand apart.
            "range": None if len(numbers) > 1 else [math.log10(shares[numbers[0]] * at) for at in (0.5, 2)],
            "zeroline": False,
            "showgrid": True,
        },
        yaxis={
            "title": "depth of full reach",
            "range": [0.4, never + 0.6],
            "tickvals": [*ticks, *([never] if some_never else [])],
            "ticktext": [*(f"{tick} " for tick in ticks), *(["never "] if some_never else [])],
            "zeroline": False,
        },
    )


def advice_alt(found: AdviceJson) -> str:
    """Say the choices in words."""
    parts = [
        f"{choice['variant'].upper()} n={choice['n_blocks']}: {words.percent(choice['share_of_dense'], 1)} of dense, "
        + (f"full from depth {full}" if (full := choice["first_full_depth"]) else "never full")
        for choice in found["choices"][:60]
    ]
    return f"Choices for {found['in_features']} → {found['out_features']}: " + "; ".join(parts) + "."
