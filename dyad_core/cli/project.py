"""``dyad project``: what DYAD patterns keep of a trained weight, in the terminal.

Run ``dyad project model.safetensors --tensor fc1.weight --blocks 4 8 --variants it ot``, the file first; ``--list`` shows
what the file holds, ``--json`` prints what the service answers. Needs typer and rich (``pip install 'dyad-explorer[cli]'``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn, cast

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from dyad_core.cli.arguments import MultiValueCommand
from dyad_core.errors import SpecError
from dyad_core.geometry import Variant
from dyad_core.weights import DEFAULT_MAX_BYTES, LoadedMatrix, Progress, Projection, list_tensors, load_matrix
from dyad_core.weights import project as project_matrix

__all__ = ["app"]

app = typer.Typer(add_completion=False)

WRONG_INPUT, INTERRUPTED = 2, 130


@app.command("project", cls=MultiValueCommand)
def project(
    file: Annotated[Path, typer.Argument(help=".npy, .safetensors, or a state dict written by torch.save.")],
    tensor: Annotated[str | None, typer.Option(help="Name of the matrix; not needed where there is one.")] = None,
    transpose: Annotated[bool, typer.Option("--transpose", help="It is stored as (in, out), as GPT-2's are.")] = False,
    blocks: Annotated[list[int], typer.Option("--blocks", help="Block counts n, one or more.")] = [4, 8, 16],  # noqa: B006
    variants: Annotated[list[str], typer.Option(help="it, ot, dt, bd: one or more.")] = ["it", "ot", "dt", "bd"],  # noqa: B006
    grains: Annotated[list[int], typer.Option(help="Run lengths of the interleave; 1 is the paper.")] = [1],  # noqa: B006
    low_rank: Annotated[bool, typer.Option(help="Compare with low rank; most of the time goes there.")] = True,
    max_bytes: Annotated[
        int, typer.Option(help="Largest matrix that is loaded, in bytes as float32.")
    ] = DEFAULT_MAX_BYTES,
    list_only: Annotated[bool, typer.Option("--list", help="List the file's tensors and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Hold a trained weight against DYAD patterns, low rank and block-diagonal."""
    try:
        if list_only:
            show_tensors(file, as_json)
            return
        matrix = load_matrix(file, tensor, transpose=transpose, max_bytes=max_bytes)
        answer = project_with_bar(matrix, cast(list[Variant], variants), blocks, grains, low_rank)
    except SpecError as error:
        stop(str(error), WRONG_INPUT)
    except KeyboardInterrupt:
        stop("interrupted", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps({"source": matrix.to_dict(), **answer.to_dict()}, indent=2, ensure_ascii=False))
    else:
        show(matrix, answer)


def project_with_bar(
    matrix: LoadedMatrix, variants: list[Variant], blocks: list[int], grains: list[int], low_rank: bool
) -> Projection:
    """Project, with a progress bar on standard error that is gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.fraction, description=progress.message)

        return project_matrix(
            matrix, variants=variants, n_blocks=blocks, grains=grains, low_rank=low_rank, on_progress=report
        )


def show(matrix: LoadedMatrix, answer: Projection) -> None:
    """Print one table, the reading and the notes."""
    table = Table(
        title=f"{matrix.name}, {answer.in_features} → {answer.out_features}, {matrix.dtype}: share of the energy kept",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption="low rank and block-diagonal: the best of no more parameters; error: √(1 - kept)",
        caption_justify="left",
    )
    table.add_column("structure", no_wrap=True)
    for name in ("parameters", "kept", "by chance", "error", "low rank", "block-diagonal"):
        table.add_column(name, justify="right", no_wrap=True)
    for candidate in answer.candidates:
        geometry, low, blocks = candidate.geometry, candidate.low_rank, candidate.block_diagonal
        grain = f", grain={geometry.grain}" if geometry.grain > 1 else ""
        table.add_row(
            f"{geometry.variant}, n={geometry.n_blocks}{grain}",
            f"{geometry.parameters:,}",
            f"{candidate.captured_energy:.1%}",
            f"{candidate.unstructured_energy:.1%}",
            f"{candidate.relative_error:.3f}",
            "" if low is None else f"{low.captured_energy:.1%}",
            f"{blocks.captured_energy:.1%}",
        )
    console = Console()
    console.print(table)
    console.print(answer.reading, highlight=False, markup=False)
    for note in (*answer.notes, *(f"left out {s.variant}, n={s.n_blocks}: {s.reason}" for s in answer.skipped)):
        console.print(f"Note: {note}.", highlight=False, markup=False)


def show_tensors(file: Path, as_json: bool) -> None:
    """Print names, shapes and types of what a file holds."""
    entries = list_tensors(file)
    if as_json:
        typer.echo(json.dumps({"tensors": [entry.to_dict() for entry in entries]}, indent=2, ensure_ascii=False))
        return
    table = Table(box=SIMPLE_HEAD)
    for name in ("tensor", "shape", "dtype", "bytes", "matrix"):
        table.add_column(name, justify="right" if name in ("shape", "bytes") else "left")
    for entry in entries:
        shape = " × ".join(str(size) for size in entry.shape)
        table.add_row(entry.name, shape, entry.dtype, f"{entry.bytes:,}", "yes" if entry.is_matrix else "")
    Console().print(table)


def stop(text: str, code: int) -> NoReturn:
    """Say why on standard error and leave."""
    typer.echo(text, err=True)
    raise typer.Exit(code)
