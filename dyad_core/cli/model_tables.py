"""A measured model as tables for the terminal: one per pass, and one of the parts of its step. Needs rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from dyad_core.cli.tables import OUTCOMES
from dyad_core.models.measuring.reading import PASS_WORDS, label
from dyad_core.models.records import ModelCandidate, ModelRun
from dyad_core.models.spec import ModelPass

__all__ = ["model_notes", "model_tables"]

COLUMNS = ("median ms", "x dense", "95 % interval", "foretold ms", "deviation", "peak MiB", "parameters")


def model_tables(run: ModelRun) -> Iterator[Table]:
    """Yield for each pass one table of the models, and one of the parts where they were timed."""
    for pass_ in run.spec.passes:
        table = _table(
            f"{PASS_WORDS[pass_]}, {run.name}, batch {run.spec.batch} × {run.spec.sequence}, {run.spec.dtype}"
        )
        table.add_column("model", no_wrap=True)
        for column in COLUMNS:
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("outcome")
        for candidate in run.candidates:
            if candidate.pass_ == pass_:
                table.add_row(label(candidate, run), *_cells(candidate))
        yield table
        yield from _parts(run, pass_)


def model_notes(run: ModelRun) -> Iterator[str]:
    """Yield what a reader must know beside the figures."""
    yield from run.warnings
    for candidate in run.candidates:
        for text in filter(None, (candidate.detail, *candidate.warnings)):
            yield f"{PASS_WORDS[candidate.pass_]}, {label(candidate, run)}: {text}"


def _parts(run: ModelRun, pass_: ModelPass) -> Iterator[Table]:
    here = [part for part in run.parts if part.pass_ == pass_]
    if not here:
        return
    table = _table(f"{PASS_WORDS[pass_]}: its parts, each timed by itself in the same rounds")
    table.add_column("part", no_wrap=True)
    for column in ("of", "times", "median ms", "middle half"):
        table.add_column(column, justify="right", no_wrap=True)
    for part in here:
        of = "every model" if part.variant is None else part.variant
        if part.n_blocks is not None:
            of = f"{part.variant} n={part.n_blocks} {part.mode}"
        spread = f"{part.q1_ms:.3g}–{part.q3_ms:.3g}"
        table.add_row(part.part.replace("_", " "), of, str(part.count), f"{part.median_ms:.4g}", spread)
    yield table


def _cells(candidate: ModelCandidate) -> list[str]:
    """The row of one model; what it does not have is empty, the outcome is always said."""
    median = "" if candidate.median_ms is None else f"{candidate.median_ms:.4g}"
    compared = candidate.speedup is not None and candidate.n_blocks is not None
    interval = f"{candidate.speedup_low:.3f}–{candidate.speedup_high:.3f}" if compared else ""
    foretold = "" if candidate.prediction is None else f"{candidate.prediction.predicted_ms:.4g}"
    return [
        median,
        f"{candidate.speedup:.3f}" if compared else "",
        interval,
        foretold,
        "" if candidate.deviation is None else f"{candidate.deviation:+.1%}",
        "" if candidate.memory is None else f"{candidate.memory.peak_bytes / 2**20:.1f}",
        f"{candidate.parameters:,}",
        OUTCOMES.get(candidate.outcome, candidate.outcome),
    ]


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
