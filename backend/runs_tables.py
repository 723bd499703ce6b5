"""Runs and comparisons as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from dyad_core.bench.compare import Comparison, Ratio
from dyad_core.bench.reading import PASS_NAMES

__all__ = ["comparison_tables", "figures_table", "machine_words", "runs_table"]


def runs_table(page: dict[str, Any]) -> Table:
    """One page of runs; what was not measured by this service is marked with its origin."""
    columns = ("id", "status", "origin", "machine", "layer", "variants", "n_blocks", "measured", "reading")
    table = Table(*columns, title=f"{page['total']} runs")
    for item in page["items"]:
        spec = item["spec"]
        table.add_row(
            item["id"],
            item["status"],
            item["origin"],
            machine_words(item["machine"]),
            f"{spec['in_features']}→{spec['out_features']}",
            " ".join(spec["variants"]),
            " ".join(str(n) for n in spec["n_blocks"]),
            (item["measured_at"] or item["created_at"])[:16].replace("T", " "),
            item["headline"] or (item["error"] or {}).get("title", ""),
        )
    return table


def machine_words(machine: dict[str, Any] | None) -> str:
    """A machine in a few words: ``AMD EPYC (box), 2 threads``."""
    if machine is None:
        return ""
    host = f" ({machine['hostname']})" if machine["hostname"] else ""
    threads = f", {machine['threads']} threads" if machine["device"] == "cpu" else ""
    return f"{machine['name']}{host}{threads}"


def figures_table(result: dict[str, Any]) -> Table:
    """The candidates of one run."""
    table = Table(
        "candidate", "implementation", "pass", "median ms", "speed-up", "95 % interval", "of limit", "peak MiB"
    )
    for candidate in result["candidates"]:
        n = candidate["n_blocks"]
        memory = candidate["memory"]
        table.add_row(
            candidate["variant"] if n is None else f"{candidate['variant']} n={n} g={candidate['grain']}",
            candidate["implementation"],
            candidate["pass"],
            _number(candidate["median_ms"], ".3f") or candidate["outcome"],
            _number(candidate["speedup"], ".2f"),
            _interval(candidate["speedup_low"], candidate["speedup_high"]),
            _number(candidate["share_of_limit"], ".0%"),
            "" if memory is None else f"{memory['peak_bytes'] / 2**20:.1f}",
        )
    return table


def comparison_tables(found: Comparison) -> Iterator[Table]:
    """What differs, then the candidates: times and speed-ups of each run, and the ratios against the first."""
    if lasting := [each for each in found.differences if not each.momentary]:
        table = Table("", *found.names, title="What differs", title_justify="left")
        for each in lasting:
            table.add_row(f"{each.part}: {each.field}", *(str(value) for value in each.values))
        yield table
    columns = [f"{name}: ms, x dense" for name in found.names]
    ratios = [f"time {name}/{found.names[0]}" for name in found.names[1:]]
    table = Table("candidate", "implementation", "pass", *columns, *ratios, title="Side by side", title_justify="left")
    for row in found.candidates:
        figures = [
            "" if entry is None else f"{_number(entry.median_ms, '.3g')} {_number(entry.speedup, '.2f')}"
            for entry in row.entries
        ]
        by_name = {ratio.other: _ratio_words(ratio, found.names[0]) for ratio in row.ratios}
        cells = [by_name.get(name, "") for name in found.names[1:]]
        table.add_row(row.label, row.implementation, PASS_NAMES[row.pass_], *figures, *cells)
    yield table


def _ratio_words(ratio: Ratio, first: str) -> str:
    if ratio.time_ratio is None:
        return "not comparable"
    against = "" if ratio.base == first else f" (against {ratio.base})"
    interval = "" if ratio.time_ratio_low is None else f" ({_interval(ratio.time_ratio_low, ratio.time_ratio_high)})"
    return f"{ratio.time_ratio:.3f}{interval} {ratio.finding.replace('_', ' ')}{against}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
