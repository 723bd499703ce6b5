"""``dyad structure``: the figures of one layer and what a stack of it reaches, in the terminal.

Run ``dyad structure --in 768 --out 3072 --blocks 4 --variant it``; ``--json`` prints what the service answers,
``--advice`` lists every legal n for the two sizes instead.
The only file of this package that needs typer and rich (``pip install 'dyad-explorer[cli]'``).
"""

from __future__ import annotations

import json
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Table

from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.structure.advisor import Advice, advice
from dyad_core.structure.hubs import Connectivity, connectivity
from dyad_core.structure.paths import Reachability, reachability, stack
from dyad_core.structure.picture import totals
from dyad_core.structure.wording import formula, percent

__all__ = ["structure"]

SHOWN_HUBS = 32
"""Rows of the hub table; ``--json`` has all hubs."""


def structure(
    in_features: Annotated[int, typer.Option("--in", help="Size of each input sample.")],
    out_features: Annotated[int, typer.Option("--out", help="Size of each output sample.")],
    blocks: Annotated[int, typer.Option("--blocks", help="Number of diagonal blocks n.")] = 4,
    variant: Annotated[str, typer.Option("--variant", help="it, ot, dt, or bd (BLOCKDIAG alone).")] = "it",
    grain: Annotated[int, typer.Option("--grain", help="Run length of the interleave; 1 is the paper.")] = 1,
    depth: Annotated[
        int, typer.Option("--depth", help="Layers to stack: the same one when square, else to and fro.")
    ] = 12,
    advise: Annotated[
        bool, typer.Option("--advice", help="List every legal n of these sizes, what it costs, and one to take.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what one layer connects, and what a stack of it reaches."""
    if advise:
        print_advice(in_features, out_features, grain, as_json=as_json)
        return
    try:
        geometry = DyadGeometry(in_features, out_features, blocks, cast(Variant, variant), grain)
        hubs, reach = connectivity(geometry), reachability(stack(geometry, depth))
    except SpecError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if as_json:
        answer = {"totals": totals(geometry), "connectivity": hubs.to_dict(), "reachability": reach.to_dict()}
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(formula(geometry), highlight=False)
    console.print(_totals_table(geometry))
    console.print(_hub_table(hubs))
    console.print(_depth_table(reach))
    for warning in reach.warnings:
        console.print(f"Note: {warning}.", highlight=False)


def print_advice(in_features: int, out_features: int, grain: int, *, as_json: bool) -> None:
    """Print every legal n of two sizes, as a table or as JSON."""
    try:
        answer = advice(in_features, out_features, grains=(grain,))
    except SpecError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(answer.to_dict(), indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(_choices_table(answer))
    for padding in answer.padding:
        layer, cost = padding.geometry, f"{100 * padding.share_of_dense:.1f} %"
        words = f"n_blocks={layer.n_blocks} needs padding to {layer.in_features}→{layer.out_features} and costs {cost}"
        console.print(f"Padded: {words} of the dense layer.", highlight=False)
    for note in answer.notes:
        console.print(f"Note: {note}.", highlight=False)
    console.print(f"{'Take' if answer.recommended is not None else 'None'}: {answer.reason}.", highlight=False)


def _choices_table(answer: Advice) -> Table:
    table = Table(title=f"Every n for {answer.in_features}→{answer.out_features}; depths of an alternating stack")
    for name in ("n", "variant", "parameters", "of dense", "limit", "full reach after", "reach of two"):
        table.add_column(name, justify="left" if name == "variant" else "right")
    for index, choice in enumerate(answer.choices):
        layer = choice.geometry
        depth = "never" if choice.first_full_depth is None else str(choice.first_full_depth)
        share = choice.reached_share_of_two
        table.add_row(
            str(layer.n_blocks),
            layer.variant,
            f"{layer.parameters:,}",
            f"{100 / layer.limit:.1f} %",
            f"{layer.limit:g}x",
            "unknown" if share is None and choice.first_full_depth is None else depth,
            "" if share is None else f"{100 * share:.1f} %",
            style="bold" if index == answer.recommended else None,
        )
    return table


def _totals_table(geometry: DyadGeometry) -> Table:
    figures = totals(geometry)
    table = Table(
        title=f"{geometry.in_features}→{geometry.out_features}, n_blocks={geometry.n_blocks}, {geometry.variant}"
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        is_share = name in ("density", "redundant_share")
        shown = f"{100 * value:.2f} %" if is_share else f"{value:,}" if isinstance(value, int) else f"{value:g}x"
        table.add_row("limit of the speed-up" if name == "limit" else name.replace("_", " "), shown)
    return table


def _hub_table(answer: Connectivity) -> Table:
    reads, feeds = answer.reads_per_output, answer.feeds_per_input
    table = Table(
        title=f"{len(answer.hubs)} hubs; an output reads {_spread(reads.min, reads.max)} inputs, "
        f"an input feeds {_spread(feeds.min, feeds.max)} outputs",
        caption=None if len(answer.hubs) <= SHOWN_HUBS else f"the first {SHOWN_HUBS}; --json has all",
    )
    for name in ("hub", "component", "block", "inputs", "outputs"):
        table.add_column(name, justify="right" if name in ("hub", "block") else "left")
    for hub in answer.hubs[:SHOWN_HUBS]:
        inputs, outputs = (f"{group.description} ({group.count})" for group in (hub.inputs, hub.outputs))
        table.add_row(str(hub.index), hub.component, str(hub.block), inputs, outputs)
    return table


def _depth_table(answer: Reachability) -> Table:
    table = Table(title="Reached pairs of inputs and outputs by depth")
    for name in ("depth", "layer", "reached pairs", "share"):
        table.add_column(name, justify="right")
    for step, layer in zip(answer.depths, answer.layers, strict=True):
        name = f"{layer.in_features}→{layer.out_features}"
        share = percent(step.reached_pairs, step.total_pairs)
        table.add_row(str(step.depth), name, f"{step.reached_pairs:,}", share)
    return table


def _spread(smallest: int, largest: int) -> str:
    return str(smallest) if smallest == largest else f"{smallest}–{largest}"
