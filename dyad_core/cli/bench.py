"""``dyad bench``: measure DYAD layers against their dense twin from the terminal.

Run ``dyad bench --in 768 --out 3072 --blocks 4 8 --variants it ot dt``; ``--json`` prints the run as the service
answers it, and nothing else, on standard output. Needs typer and rich (``pip install 'dyad-explorer[cli]'``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dyad_core.bench import BenchmarkRun, BenchmarkSpec, run_benchmark
from dyad_core.bench.files import save_runs
from dyad_core.bench.progress import Progress as Report
from dyad_core.bench.spec import PASSES
from dyad_core.cli.arguments import MultiValueCommand
from dyad_core.cli.bench_suites import run_calibration, run_speed_suite, run_suite
from dyad_core.cli.saying import FAILED, INTERRUPTED, WRONG_INPUT, check_folder, sentence, stop
from dyad_core.cli.tables import notes, pass_tables
from dyad_core.errors import BenchmarkError, SpecError

__all__ = ["app"]

app = typer.Typer(add_completion=False)

RESULTS = Path("dyad-results.json")


@app.command("bench", cls=MultiValueCommand)
def bench(
    in_features: Annotated[int | None, typer.Option("--in", help="Size of each input sample.")] = None,
    out_features: Annotated[int | None, typer.Option("--out", help="Size of each output sample.")] = None,
    blocks: Annotated[list[int], typer.Option("--blocks", help="Block counts n, one or more.")] = [4, 8],  # noqa: B006
    variants: Annotated[list[str], typer.Option(help="it, ot, dt, bd: one or more.")] = ["it"],  # noqa: B006
    tokens: Annotated[int, typer.Option(help="Rows of the input: batch × sequence.")] = 4096,
    module: Annotated[str, typer.Option(help="linear or feed_forward (in → out → in).")] = "linear",
    passes: Annotated[list[str], typer.Option(help=f"One or more of {', '.join(PASSES)}.")] = ["forward"],  # noqa: B006
    dtype: Annotated[str, typer.Option(help="float32, float64, bfloat16 or float16; for both sides.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: physical cores.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, inputs and the order of rounds.")] = 0,
    max_seconds: Annotated[float, typer.Option(help="Budget of the timing, in seconds.")] = 60.0,
    implementations: Annotated[list[str], typer.Option(help="Ways to compute it; auto chooses.")] = ["auto"],  # noqa: B006
    grains: Annotated[list[int], typer.Option(help="Run lengths of the interleave; 1 is the paper.")] = [1],  # noqa: B006
    peers: Annotated[list[str], typer.Option(help="Beside it: low_rank, monarch, dense_again.")] = [],  # noqa: B006
    allocator: Annotated[
        str, typer.Option(help="default, or keep_pages: freed memory is kept, on both sides.")
    ] = "default",
    optimizer: Annotated[str, typer.Option(help="Of train_step: adamw, sgd or none.")] = "adamw",
    float32_matmul_precision: Annotated[str, typer.Option(help="highest, high or medium (tf32 on a GPU).")] = "highest",
    compile: Annotated[bool, typer.Option("--compile", help="Measure both sides under torch.compile.")] = False,
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="Replay CUDA graphs, on both sides.")] = False,
    cache: Annotated[str, typer.Option(help="warm, or flushed: overwritten before every call.")] = "warm",
    seeds: Annotated[int, typer.Option(help="Draw weights and inputs from so many seeds in turn.")] = 1,
    target_interval: Annotated[
        float, typer.Option(help="Stop when every 95 % interval is this narrow: 0.02 is ±2 %.")
    ] = 0.02,
    suite: Annotated[
        str | None,
        typer.Option(
            help="Instead of sizes: speed (against every rival), structure (cost of exact answers) or "
            "calibration (does the engine tell the truth?)."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Speed suite: the whole grid, going on from --save.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Speed suite: go on from --save.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Suites: small, to try the path.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Speed suite: measure on a busy machine too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(help="Also write the run to this file.")] = None,
) -> None:
    """Measure DYAD layers against their dense twin, side by side on this machine."""
    if suite == "speed":
        more = tuple(name for name in implementations if name != "auto")
        flags = {"quick": quick, "full": full, "resume": resume, "anyway": anyway, "more": more}
        run_speed_suite({"device": device, "out": save or RESULTS, "allocator": allocator, **flags}, as_json=as_json)
        return
    if suite == "calibration":
        run_calibration(device, quick=quick, as_json=as_json)
    if suite is not None:
        run_suite(suite, as_json=as_json)
        return
    values: dict[str, Any] = {
        **({} if in_features is None else {"in_features": in_features}),
        **({} if out_features is None else {"out_features": out_features}),
        "module": module,
        "tokens": tokens,
        "n_blocks": blocks,
        "variants": variants,
        "grains": grains,
        "implementations": implementations,
        "passes": passes,
        "dtype": dtype,
        "device": device,
        "threads": threads,
        "seed": seed,
        "max_seconds": max_seconds,
        "peers": peers,
        "allocator": allocator,
        "optimizer": optimizer,
        "float32_matmul_precision": float32_matmul_precision,
        "compile": compile,
        "cuda_graph": cuda_graph,
        "cache": cache,
        "n_seeds": seeds,
        "target_interval": target_interval,
    }
    try:
        check_folder(save)
        run = measure_with_bar(BenchmarkSpec.from_dict(values))
        if save is not None:
            save_runs(save, [run])
    except SpecError as error:
        stop("\n".join(sentence(problem) for problem in error.problems), WRONG_INPUT)
    except BenchmarkError as error:
        stop(str(error).splitlines()[0], FAILED)
    except KeyboardInterrupt:
        stop("interrupted; the measuring process is gone", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(run.to_dict(), ensure_ascii=False, indent=2))
    else:
        show(run)


def measure_with_bar(spec: BenchmarkSpec) -> BenchmarkRun:
    """Measure, with a progress bar on standard error that is gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(progress: Report) -> None:
            ranked = sorted((c for c in progress.candidates if c.speedup), key=lambda c: -(c.speedup or 0))
            best = next((c for c in ranked if c.n_blocks is not None), None)
            figure = f" · so far {best.label} {best.speedup:.2f}x" if best else ""
            bar.update(task, completed=progress.fraction, description=progress.message + figure)

        return run_benchmark(spec, on_progress=report)


def show(run: BenchmarkRun) -> None:
    """Print one table per pass, the reading, and the notes."""
    console = Console()
    for table in pass_tables(run):
        console.print(table)
    console.print(run.reading, highlight=False, markup=False)
    for note in notes(run):
        console.print(f"Note: {note}.", highlight=False, markup=False, style="yellow")
