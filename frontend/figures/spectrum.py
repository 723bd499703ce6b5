"""Singular values of a matrix, of its projection and of what is dropped, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, SPECTRA, figure_of
from frontend.schemas_weights import SpectrumJson

__all__ = ["spectrum_alt", "spectrum_figure"]


def spectrum_figure(spectra: Mapping[str, SpectrumJson | None]) -> go.Figure:
    """Draw the singular values in falling order; the dotted line is where rounding begins."""
    known = {name: spectrum for name, spectrum in spectra.items() if spectrum is not None}
    traces: list[dict[str, Any]] = []
    for name, spectrum in known.items():
        mark = SPECTRA[name]
        points = [
            (index + 1, value, share)
            for index, value, share in zip(
                spectrum["index"], spectrum["values"], spectrum["captured_energy"], strict=True
            )
            if value > 0
        ]
        traces.append(
            {
                "type": "scatter",
                "x": [point[0] for point in points],
                "y": [point[1] for point in points],
                "name": mark.name,
                "mode": "lines",
                "line": {"color": mark.color, "width": 2.5, "dash": mark.hatch or "solid"},
                "customdata": [100 * point[2] for point in points],
                "hovertemplate": f"<b>{mark.name}</b><br>value %{{x:,}} of {spectrum['count']:,}: %{{y:.4g}}<br>"
                "%{customdata:.2f} % of its energy up to here<extra></extra>",
            }
        )
    drawn = [value for trace in traces for value in trace["y"]] or [1.0]
    decades = math.log10(max(drawn) / min(drawn))
    floor = max((spectrum["floor"] for spectrum in known.values()), default=0.0)
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    shown = floor > 0 and any(min(spectrum["values"], default=1.0) < floor for spectrum in known.values())
    shapes = [{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": floor, "y1": floor, "line": line}]
    return figure_of(
        traces,
        height=400,
        margin={"t": 48},
        shapes=shapes if shown else [],
        xaxis={"title": "index of the singular value", "zeroline": False, "showgrid": False},
        yaxis={
            "type": "log",
            "title": "singular value",
            "zeroline": False,
            # Plain numbers, and few: within a decade or two Plotly would name every step by its digit alone.
            "dtick": "D2" if decades < 2.5 else 1 if decades < 8 else 2,
            "tickformat": "~g" if decades < 2.5 else None,
            "exponentformat": "power",
            "ticksuffix": " ",
        },
        showlegend=True,
    )


def spectrum_alt(spectra: Mapping[str, SpectrumJson | None]) -> str:
    """Say the largest values and how many count."""
    parts = [
        f"{SPECTRA[name].name}: {spectrum['count']} values from {spectrum['values'][0]:.4g} to {spectrum['values'][-1]:.4g}, "
        f"effective rank {spectrum['effective_rank']:.0f}"
        for name, spectrum in spectra.items()
        if spectrum is not None and spectrum["values"]
    ]
    return "Singular values, falling: " + "; ".join(parts) + "."
