"""``dyad tune``: measure which implementation is fastest here, and write the table that ``auto`` reads.

Run ``dyad tune --quick`` for a first table in minutes, then ``export DYAD_CHOICES=<the file it names>``. Needs typer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dyad_core.bench.tuning import run_tuning
from dyad_core.cli.arguments import MultiValueCommand

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command("tune", cls=MultiValueCommand)
def tune(
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")] = "cpu",
    quick: Annotated[bool, typer.Option("--quick", help="A small grid: about ten minutes instead of hours.")] = False,
    out: Annotated[Path | None, typer.Option(help="Table to write; default: DYAD_HOME/choices/<device>.json.")] = None,
    implementations: Annotated[
        list[str], typer.Option(help="Compare these with eager; default: all that start fast.")
    ] = [],  # noqa: B006
    dtypes: Annotated[
        list[str], typer.Option(help="One or more; default: float32 on a CPU, 16-bit types too on a GPU.")
    ] = [],  # noqa: B006
) -> None:
    """Measure which implementation is fastest for which shape on this machine; stop and start again as you like."""
    code = run_tuning(device, quick=quick, out=out, implementations=implementations, dtypes=dtypes, say=typer.echo)
    raise typer.Exit(code)
