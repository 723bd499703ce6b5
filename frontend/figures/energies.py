"""What patterns keep of a matrix, beside what low rank and block-diagonal of at most as many parameters keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from frontend.figures.style import NEUTRAL, STRUCTURES, figure_of, or_gap, row_axis, rows_height
from frontend.logic import words
from frontend.logic.projection import candidate_label
from frontend.schemas_weights import EnergyJson, ProjectedJson

__all__ = ["energies_alt", "energies_figure"]


def energies_figure(candidates: Sequence[ProjectedJson]) -> go.Figure:
    """Draw one row per structure: its share of the energy, and the same for the others of that row's size.

    Only marks of one row have as many parameters as one another; the grey stroke is what chance would keep.
    """
    labels = [candidate_label(one) for one in candidates]
    spans: list[float | None] = []
    rows: list[str | None] = []
    for one, label in zip(candidates, labels, strict=True):
        shares = [share for share in map(_share_of(one), ("dyad", "block_diagonal", "low_rank")) if share is not None]
        spans += [100 * min(shares), 100 * max(shares), None]
        rows += [label, label, None]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": or_gap(spans),
            "y": or_gap(rows),
            "mode": "lines",
            "line": {"color": NEUTRAL, "width": 1},
            "hoverinfo": "skip",
            "showlegend": False,
        },
        {
            "type": "scatter",
            "x": [100 * one["unstructured_energy"] for one in candidates],
            "y": labels,
            "name": "kept by chance",
            "mode": "markers",
            "marker": {"symbol": "line-ns", "size": 14, "color": NEUTRAL, "line": {"color": NEUTRAL, "width": 3}},
            "hovertemplate": "%{y}: an unstructured matrix keeps %{x:.2f} %<extra></extra>",
        },
    ]
    for name in ("block_diagonal", "low_rank", "dyad"):
        known = [
            (one, label, share)
            for one, label in zip(candidates, labels, strict=True)
            if (share := _share_of(one)(name)) is not None
        ]
        if not known:
            continue
        mark = STRUCTURES[name]
        strong = name == "dyad"
        traces.append(
            {
                "type": "scatter",
                "x": [100 * share for _, _, share in known],
                "y": [label for _, label, _ in known],
                "name": mark.name,
                "mode": "markers+text" if strong else "markers",
                "text": [words.percent(share, 1) for _, _, share in known] if strong else None,
                "textposition": "top center",
                "marker": {"color": mark.color, "symbol": mark.symbol, "size": 13 if strong else 11},
                "customdata": [_hover(one, name) for one, _, _ in known],
                "hovertemplate": "%{customdata}<extra></extra>",
                "cliponaxis": False,
            }
        )
    return figure_of(
        traces,
        height=rows_height(len(labels)),
        margin={"t": 60},
        xaxis={
            "title": "kept energy (%, higher is nearer)",
            "range": [0, 104],
            "zeroline": False,
            "showgrid": True,
        },
        yaxis=row_axis(labels),
    )


def _share_of(candidate: ProjectedJson) -> Callable[[str], float | None]:
    def share(name: str) -> float | None:
        found = _entry(candidate, name)
        return None if found is None else found["captured_energy"]

    return share


def _entry(candidate: ProjectedJson, name: str) -> EnergyJson | None:
    if name == "low_rank":
        return candidate["low_rank"]
    if name == "block_diagonal":
        return candidate["block_diagonal"]
    return {
        "captured_energy": candidate["captured_energy"],
        "relative_error": candidate["relative_error"],
        "parameters": candidate["parameters"],
    }


def _hover(candidate: ProjectedJson, name: str) -> str:
    entry = _entry(candidate, name)
    if entry is None:
        return ""
    what = candidate_label(candidate)
    if name == "low_rank":
        what = f"low rank {entry['rank']}, beside {what}"
    elif name == "block_diagonal":
        what = f"block-diagonal of {entry['n_blocks']} blocks, beside {what}"
    return (
        f"<b>{what}</b><br>keeps {words.percent(entry['captured_energy'], 2)} of the energy<br>"
        f"relative error {entry['relative_error']:.3f}<br>{words.count(entry['parameters'])} parameters"
    )


def energies_alt(candidates: Sequence[ProjectedJson]) -> str:
    """Say the chart in words."""
    parts = []
    for one in candidates:
        low = one["low_rank"]
        beside = "" if low is None else f", low rank {words.percent(low['captured_energy'], 1)}"
        parts.append(
            f"{candidate_label(one)} {words.percent(one['captured_energy'], 1)} (by chance "
            f"{words.percent(one['unstructured_energy'], 1)}{beside}, block-diagonal "
            f"{words.percent(one['block_diagonal']['captured_energy'], 1)})"
        )
    return "Kept share of the energy, others at equal parameters in brackets: " + "; ".join(parts) + "."
