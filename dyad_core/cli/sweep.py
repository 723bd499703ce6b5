"""``dyad sweep``: the map of where DYAD pays on this machine, and the rule in words.

Run ``dyad sweep --widths 128 256 512 1024 --tokens 16 256 4096 --max-seconds 600``. Ctrl-C ends it with what is there;
``--save`` keeps every point as it comes and ``--resume`` goes on from there. Needs typer and rich.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dyad_core.bench.results import BenchmarkRun
from dyad_core.cli.arguments import MultiValueCommand
from dyad_core.cli.saying import FAILED, INTERRUPTED, WRONG_INPUT, check_folder, sentence, stop
from dyad_core.cli.sweep_table import map_tables
from dyad_core.errors import BenchmarkError, Problem, SpecError
from dyad_core.sweep import SweepPoint, SweepProgress, SweepResult, SweepSpec, load_sweep, run_sweep, save_sweep
from dyad_core.sweep.conclusion import conclude

__all__ = ["app"]

app = typer.Typer(add_completion=False)

WIDTHS = [128, 256, 512, 1024, 2048]


@app.command("sweep", cls=MultiValueCommand)
def sweep(
    widths: Annotated[list[int], typer.Option(help="in_features; default: 128 to 2048 in doublings.")] = [],  # noqa: B006
    tokens: Annotated[list[int], typer.Option(help="Rows of the input that may be measured.")] = [16, 64, 256, 1024],  # noqa: B006
    ratio: Annotated[float, typer.Option(help="out_features / in_features.")] = 4.0,
    sizes: Annotated[list[str], typer.Option(help="Pairs in:out instead of widths, as 768:3072.")] = [],  # noqa: B006
    blocks: Annotated[list[int], typer.Option("--blocks", help="Block counts n, one or more.")] = [4, 8],  # noqa: B006
    variants: Annotated[list[str], typer.Option(help="it, ot, dt, bd: one or more.")] = ["it"],  # noqa: B006
    grain: Annotated[int, typer.Option(help="Run length of the interleave; 1 is the paper.")] = 1,
    implementations: Annotated[list[str], typer.Option(help="Ways to compute it; auto chooses.")] = ["auto"],  # noqa: B006
    module: Annotated[str, typer.Option(help="linear or feed_forward (in → out → in).")] = "linear",
    passes: Annotated[list[str], typer.Option(help="forward, train_step, …: one or more.")] = ["forward"],  # noqa: B006
    dtype: Annotated[str, typer.Option(help="float32, float64, bfloat16 or float16; for both sides.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: physical cores.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, inputs and the order of rounds.")] = 0,
    optimizer: Annotated[str, typer.Option(help="What ends a train_step: adamw, sgd or none.")] = "adamw",
    float32_matmul_precision: Annotated[str, typer.Option(help="highest, high or medium.")] = "highest",
    compile: Annotated[bool, typer.Option("--compile", help="Both sides under torch.compile.")] = False,
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="Both sides as CUDA graphs.")] = False,
    cache: Annotated[str, typer.Option(help="warm or flushed.")] = "warm",
    allocator: Annotated[str, typer.Option(help="default or keep_pages.")] = "default",
    target_interval: Annotated[
        float, typer.Option(help="A point is sampled until its interval is this narrow.")
    ] = 0.05,
    max_seconds: Annotated[float, typer.Option(help="Budget of the whole sweep, in seconds.")] = 600.0,
    max_points: Annotated[int, typer.Option(help="The most points of the map.")] = 200,
    yes: Annotated[bool, typer.Option("--yes", help="The lattice may have more than 256 points.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write the result to this file, after every point.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the file of --save.")] = False,
) -> None:
    """Find out from which size on DYAD layers pay on this machine, within a time budget."""
    values: dict[str, Any] = {
        "tokens": tokens,
        "ratio": ratio,
        "n_blocks": blocks,
        "variants": variants,
        "grain": grain,
        "implementations": implementations,
        "module": module,
        "passes": passes,
        "dtype": dtype,
        "device": device,
        "threads": threads,
        "seed": seed,
        "optimizer": optimizer,
        "float32_matmul_precision": float32_matmul_precision,
        "compile": compile,
        "cuda_graph": cuda_graph,
        "cache": cache,
        "allocator": allocator,
        "target_interval": target_interval,
        "max_seconds": max_seconds,
        "max_points": max_points,
        "confirmed": yes,
    }
    try:
        pairs = [read_pair(text) for text in sizes]
        lines = widths if pairs or widths else WIDTHS
        spec = SweepSpec.from_dict({**values, "sizes": pairs, "widths": lines})
        check_folder(save)
        result = measure_with_bar(spec, known_runs(save, resume=resume), save)
    except SpecError as error:
        stop("\n".join(sentence(problem).replace("--confirmed", "--yes") for problem in error.problems), WRONG_INPUT)
    except BenchmarkError as error:
        stop(str(error).splitlines()[0], FAILED)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=2))
    else:
        show(result)
    leave(result, save)


def read_pair(text: str) -> list[int]:
    """``768:3072`` as two numbers."""
    first, colon, second = text.partition(":")
    if not colon or not (first.isascii() and first.isdigit() and second.isascii() and second.isdigit()):
        raise SpecError([Problem("sizes", "must be pairs in:out", text, "for example 768:3072")])
    return [int(first[:30]), int(second[:30])]


def known_runs(save: Path | None, *, resume: bool) -> list[BenchmarkRun]:
    """The runs of an earlier sweep; none where there is no file yet."""
    if not resume:
        return []
    if save is None:
        raise SpecError([Problem("resume", "must come with --save, the file to go on from", None)])
    if not save.exists():
        return []
    return [point.run for point in load_sweep(save).points if point.run is not None]


def measure_with_bar(spec: SweepSpec, known: list[BenchmarkRun], save: Path | None) -> SweepResult:
    """Measure, with a progress bar on standard error that is gone afterwards; Ctrl-C ends it with what is there."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    points: list[SweepPoint] = []
    began = datetime.now(UTC)

    def keep(point: SweepPoint) -> None:
        points.append(point)
        if save is not None:
            spent_s = (datetime.now(UTC) - began).total_seconds()
            created_at = began.isoformat(timespec="seconds")
            save_sweep(save, conclude(spec, points, stopped="cancelled", created_at=created_at, duration_s=spent_s))

    with interruptible() as cancel, Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(progress: SweepProgress) -> None:
            text = f"{progress.done} of about {progress.total} · {progress.message}"
            bar.update(task, completed=progress.fraction, description=text)

        result = run_sweep(spec, known=known, on_progress=report, on_point=keep, cancel=cancel)
    if save is not None:
        save_sweep(save, result)
    return result


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; the next one is an ordinary KeyboardInterrupt."""
    cancel = threading.Event()

    def interrupted(*_: Any) -> None:
        cancel.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


def show(result: SweepResult) -> None:
    """Print the maps, the rules and what must be known beside them."""
    console = Console()
    for table in map_tables(result):
        console.print(table)
    for rule in result.rules:
        console.print(rule.text, highlight=False, markup=False)
    if not result.rules:
        console.print(result.reading, highlight=False, markup=False)
    for skipped in result.skipped:
        size = f"{skipped.in_features}→{skipped.out_features or '?'}"
        blocks = "" if skipped.n_blocks is None else f" n={skipped.n_blocks}"
        console.print(f"Left out: {size}{blocks}: {skipped.reason}.", highlight=False, markup=False, style="yellow")
    for warning in result.warnings:
        console.print(f"Note: {warning}.", highlight=False, markup=False, style="yellow")


def leave(result: SweepResult, save: Path | None) -> None:
    """The exit code: 0, 1 when no size could be compared, 130 when it was interrupted."""
    if result.stopped == "cancelled":
        kept = f"; its {len(result.points)} points are in {save}, and --resume goes on" if save is not None else ""
        stop(f"interrupted{kept}", INTERRUPTED)
    if result.stopped != "done":
        ended = {"budget": "the time budget (--max-seconds)", "max_points": "--max-points"}[result.stopped]
        going_on = "; --resume goes on" if save is not None else ""
        typer.echo(f"{ended} ended before everything near 1.0x was measured{going_on}", err=True)
    if not any(rule.faster or rule.slower or rule.not_distinguishable for rule in result.rules):
        raise typer.Exit(FAILED)
