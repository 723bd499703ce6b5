"""A run as tables for the terminal: one per pass, the dense twin first. Needs rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from dyad_core.bench.candidates import DENSE
from dyad_core.bench.reading import PASS_NAMES, name_of
from dyad_core.bench.results import BenchmarkRun, Candidate
from dyad_core.bench.structure_suite import AnswerCost

__all__ = ["cost_table", "notes", "pass_tables"]

COLUMNS = ("median ms", "x dense", "95 % interval", "of limit", "peak MiB")

OUTCOMES = {"measured": "", "not_distinguishable": "like 1.0x", "out_of_memory": "out of memory"}
"""Where the word differs from the name of the state."""


def pass_tables(run: BenchmarkRun) -> Iterator[Table]:
    """Yield one table per pass."""
    spec = run.spec
    for pass_ in spec.passes:
        sizes = f"{spec.in_features} → {spec.out_features}, {spec.tokens} tokens, {spec.dtype}, {spec.device}"
        table = Table(
            title=f"{PASS_NAMES[pass_]}, {sizes}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        table.add_column("candidate", no_wrap=True)
        for column in COLUMNS:
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("outcome")
        for candidate in run.candidates:
            if candidate.pass_ == pass_:
                table.add_row(name_of(candidate, run), *cells(candidate))
        yield table


def cells(candidate: Candidate) -> list[str]:
    """The row of one candidate; what it does not have is empty, the outcome is always said."""
    peak = "" if candidate.memory is None else f"{candidate.memory.peak_bytes / 2**20:.1f}"
    outcome = OUTCOMES.get(candidate.outcome, candidate.outcome)
    median = "" if candidate.median_ms is None else f"{candidate.median_ms:.3g}"
    if candidate.speedup is None or candidate.share_of_limit is None or candidate.variant == DENSE:
        return [median, "", "", "", peak, outcome]
    interval = f"{candidate.speedup_low:.2f}–{candidate.speedup_high:.2f}"
    return [median, f"{candidate.speedup:.2f}", interval, f"{candidate.share_of_limit:.0%}", peak, outcome]


def cost_table(rows: Sequence[AnswerCost]) -> Table:
    """What structure answers cost, one row per question and width."""
    table = Table(
        title="Exact structure answers: n = 4 to 64, chains of 48 layers, caches cold",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("question", no_wrap=True)
    for column in ("width", "median ms", "p95 ms", "target", "peak MiB", "gz KiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        late = "" if row.met else " missed"
        table.add_row(
            row.question,
            f"2^{row.width.bit_length() - 1}",
            f"{row.median_ms:.1f}",
            f"{row.p95_ms:.1f}",
            f"< {row.target_ms:.0f}{late}",
            f"{row.peak_mib:.1f}",
            f"{row.answer_kib:.1f}",
            end_section=row.width == rows[-1].width,
        )
    return table


def notes(run: BenchmarkRun) -> Iterator[str]:
    """Yield what a reader must know beside the figures: of the run, then of candidates, equal ones together."""
    yield from run.warnings
    for pass_ in run.spec.passes:
        said: dict[str, list[tuple[str, str]]] = {}
        for candidate in run.candidates:
            if candidate.pass_ == pass_:
                for text in filter(None, (candidate.detail, *candidate.warnings)):
                    # Before the colon stands what happened, behind it how much.
                    said.setdefault(text.partition(":")[0], []).append((name_of(candidate, run), text))
        for what, cases in said.items():
            everyone = len(cases) == sum(candidate.pass_ == pass_ for candidate in run.candidates)
            names = "every candidate" if everyone else ", ".join(name for name, _ in cases)
            yield f"{PASS_NAMES[pass_]}, {names}: {cases[0][1] if len(cases) == 1 else what}"
