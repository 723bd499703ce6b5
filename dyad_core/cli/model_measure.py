"""``dyad model measure``: the real step of a whole model on this machine, dense beside DYAD.

Run ``dyad model measure opt-125m --batch 1 --sequence 256 --passes train_step prefill decode``. Needs typer, rich and the extra
``models``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dyad_core.cli.model_choice import chosen, model_sentence
from dyad_core.cli.model_tables import model_notes, model_tables
from dyad_core.cli.saying import FAILED, INTERRUPTED, WRONG_INPUT, check_folder, stop
from dyad_core.errors import BenchmarkError, ImplementationError, Problem, SpecError
from dyad_core.models.measuring import ModelProgress, run_model, save_model_run
from dyad_core.models.measuring.reading import label
from dyad_core.models.measuring.reference import file_name, model_suite
from dyad_core.models.records import ModelRun
from dyad_core.models.spec import ModelSpec

__all__ = ["measure"]


def measure(
    model: Annotated[
        str | None, typer.Argument(help="A preset (opt-125m, gpt2, …) or the id of a model on a hub.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A config.json, or its folder, in place of a preset.")] = None,
    blocks: Annotated[list[int], typer.Option("--blocks", help="Block counts n, one or more.")] = [4, 8],  # noqa: B006
    variants: Annotated[list[str], typer.Option(help="it, ot, dt, bd: one or more.")] = ["it"],  # noqa: B006
    modes: Annotated[list[str], typer.Option(help="layers, feed_forward: one or both.")] = ["layers"],  # noqa: B006
    names: Annotated[list[str], typer.Option(help="Patterns of layers to replace; default: feed-forward.")] = [],  # noqa: B006
    grain: Annotated[int, typer.Option(help="Run length of the interleave; 1 is the paper.")] = 1,
    batch: Annotated[int, typer.Option(help="Sequences per step.")] = 1,
    sequence: Annotated[int, typer.Option(help="Tokens per sequence; of decode those in the cache.")] = 256,
    dtype: Annotated[str, typer.Option(help="float32, float64, bfloat16 or float16; for both sides.")] = "float32",
    optimizer: Annotated[str, typer.Option(help="What ends a train_step: adamw, sgd or none.")] = "adamw",
    checkpointing: Annotated[bool, typer.Option(help="Gradient checkpointing of each block.")] = False,
    passes: Annotated[list[str], typer.Option(help="train_step, prefill, decode: one or more.")] = ["train_step"],  # noqa: B006
    parts: Annotated[bool, typer.Option(help="Time the parts of the step too, and foretell it from them.")] = True,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: physical cores.")] = None,
    float32_matmul_precision: Annotated[str, typer.Option(help="highest, high or medium.")] = "highest",
    compile: Annotated[bool, typer.Option(help="Every model under torch.compile.")] = False,
    implementation: Annotated[str, typer.Option(help="How DYAD is computed; auto chooses.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of weights, tokens and the order of rounds.")] = 0,
    max_seconds: Annotated[float, typer.Option(help="Budget of the timing of all passes, in seconds.")] = 120.0,
    target_interval: Annotated[
        float, typer.Option(help="Stop when every interval is this narrow: 0.02 is ±2 %.")
    ] = 0.02,
    suite: Annotated[str | None, typer.Option(help="Instead of a model: reference, published models.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Of a suite: small, to try the path.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(help="Also write the run to this file; of a suite, a folder.")] = None,
) -> None:
    """Measure a whole model dense and with DYAD, side by side on this machine."""
    values: dict[str, Any] = {
        "n_blocks": blocks,
        "variants": variants,
        "modes": modes,
        "names": names,
        "grain": grain,
        "batch": batch,
        "sequence": sequence,
        "dtype": dtype,
        "optimizer": optimizer,
        "checkpointing": checkpointing,
        "passes": passes,
        "parts": parts,
        "device": device,
        "threads": threads,
        "float32_matmul_precision": float32_matmul_precision,
        "compile": compile,
        "implementation": implementation,
        "seed": seed,
        "max_seconds": max_seconds,
        "target_interval": target_interval,
    }
    try:
        if suite is not None:
            run_suite(suite, device, save, quick=quick)
            return
        check_folder(save)
        run = measure_with_bar(ModelSpec.from_dict({"config": chosen(model, config), **values}))
        if save is not None:
            save_model_run(save, run)
    except SpecError as error:
        stop("\n".join(model_sentence(problem) for problem in error.problems), WRONG_INPUT)
    except (BenchmarkError, ImplementationError) as error:
        stop(str(error).splitlines()[0], FAILED)
    except KeyboardInterrupt:
        stop("interrupted; the measuring process is gone", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(run.to_dict(), ensure_ascii=False, indent=2))
    else:
        show(run)


def run_suite(name: str, device: str, folder: Path | None, *, quick: bool) -> None:
    """Measure every request of a suite into a folder; one that cannot be measured is said and does not end the others."""
    specs = model_suite(name, device, quick=quick)
    if folder is None or not folder.is_dir():
        rule = "must name a folder that exists, for a suite writes one file per request"
        raise SpecError([Problem("save", rule, None if folder is None else str(folder))])
    failed = 0
    for spec in specs:
        target = folder / file_name(spec)
        if target.exists():
            typer.echo(f"{target.name} is there already")
            continue
        try:
            run = measure_with_bar(spec)
        except (BenchmarkError, SpecError) as error:
            failed += 1
            typer.echo(f"{target.name}: {str(error).splitlines()[0]}", err=True)
            continue
        save_model_run(target, run)
        typer.echo(f"{target.name}: {run.reading}")
    if failed:
        raise typer.Exit(FAILED)


def measure_with_bar(spec: ModelSpec) -> ModelRun:
    """Measure, with a progress bar on standard error that is gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(progress: ModelProgress) -> None:
            ranked = sorted((c for c in progress.candidates if c.speedup), key=lambda c: -(c.speedup or 0))
            best = next((c for c in ranked if c.n_blocks is not None), None)
            figure = f" · so far {best.variant.upper()} n={best.n_blocks} {best.speedup:.2f}x" if best else ""
            bar.update(task, completed=progress.fraction, description=progress.message + figure)

        return run_model(spec, on_progress=report)


def show(run: ModelRun) -> None:
    """Print the tables, the reading, what was foretold in words, and the notes."""
    console = Console()
    for table in model_tables(run):
        console.print(table)
    console.print(run.reading, highlight=False, markup=False)
    for candidate in run.candidates:
        if candidate.prediction is not None:
            console.print(f"{label(candidate, run)}: {candidate.prediction.words}.", highlight=False, markup=False)
    for note in model_notes(run):
        console.print(f"Note: {note}.", highlight=False, markup=False, style="yellow")
