"""A sweep as tables for the terminal: one per map, tokens down, widths across. Needs rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from dyad_core.bench.reading import PASS_NAMES
from dyad_core.sweep import SweepResult
from dyad_core.sweep.figures import Figure
from dyad_core.sweep.words import name_of

__all__ = ["cell", "map_tables"]

STYLES = {1: "green", 0: "yellow", -1: "red"}
MARKS = {1: "", 0: "?", -1: ""}
SHORT = {"out_of_memory": "memory", "unsupported": "cannot", "incorrect": "wrong", "measured": "no twin"}


def map_tables(result: SweepResult) -> Iterator[Table]:
    """Yield one table per map; a size that was not measured is a dot, a doubtful one has a question mark."""
    for rule in result.rules:
        key = (rule.n_blocks, rule.variant, rule.implementation, rule.pass_)
        figures = {
            (point.in_features, point.tokens): figure
            for point in result.points
            for figure in point.figures
            if figure.key == key
        }
        if not figures:
            continue
        name = name_of(next(iter(figures.values())), result.spec)
        title = f"{PASS_NAMES[rule.pass_]}, {name}: times dense, tokens down, width across"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("tokens", justify="right")
        widths = [column.in_features for column in result.spec.grid.columns]
        for width in widths:
            table.add_column(str(width), justify="right", no_wrap=True)
        for tokens in result.spec.grid.tokens:
            table.add_row(str(tokens), *(cell(figures.get((width, tokens))) for width in widths))
        yield table


def cell(figure: Figure | None) -> str:
    """The speed-up of one size; without one, why in a word."""
    if figure is None:
        return "·"
    if figure.side is None:
        return SHORT.get(figure.outcome, figure.outcome)
    return f"[{STYLES[figure.side]}]{figure.speedup:.2f}{MARKS[figure.side]}[/]"
