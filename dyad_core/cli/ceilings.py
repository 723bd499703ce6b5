"""``dyad ceilings``: what this machine can do at most, which is what a roofline holds figures against.

Run ``dyad ceilings --device cuda --dtype bfloat16``; measured the first time, kept below ``DYAD_HOME``, and measured anew with
``--again``. Needs typer and rich (``pip install 'dyad-explorer[cli]'``).
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dyad_core.bench import BenchmarkSpec
from dyad_core.bench.ceilings import Ceilings, Rate
from dyad_core.bench.kept_ceilings import ceilings_for
from dyad_core.bench.machine import usable_cores
from dyad_core.bench.preflight import preflight
from dyad_core.cli.saying import INTERRUPTED, WRONG_INPUT, sentence, stop
from dyad_core.errors import SpecError

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command("ceilings")
def ceilings(
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, float64, bfloat16 or float16.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: physical cores.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure anew, whatever is kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Measure this machine's own ceilings once: matrix products, copies, and the cost of starting an operation."""
    values: dict[str, Any] = {"device": device, "dtype": dtype, "threads": threads}
    try:
        # The smallest request that names the same device: what is wrong with it is said as for any other.
        warnings = preflight(BenchmarkSpec.from_dict({"in_features": 4, "out_features": 4, "n_blocks": [4], **values}))
        found = ceilings_for(device, dtype, threads or usable_cores(), again=again)
    except SpecError as error:
        # What is wrong with the kept file is no flag.
        lines = (str(each) if each.field.startswith("ceilings") else sentence(each) for each in error.problems)
        stop("\n".join(lines), WRONG_INPUT)
    except KeyboardInterrupt:
        stop("interrupted; nothing was kept", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
        return
    Console().print(table(found))
    for line in (*notes(found), *warnings):
        typer.echo(f"- {line}")


def table(found: Ceilings) -> Table:
    """The three ceilings, each with its quartiles."""
    threads = f", {found.threads} threads" if found.device == "cpu" else ""
    title = f"{found.device_name} ({found.device}), {found.dtype}{threads}"
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("ceiling", no_wrap=True)
    for column in ("median", "quartiles", "unit"):
        shown.add_column(column, justify="right", no_wrap=True)
    side, size = found.matrix_side, found.copy_bytes >> 20
    shown.add_row(f"product of {side}x{side} matrices", *cells(found.flops_per_s, 1e-9), "GFLOP/s")
    shown.add_row(f"copy of {size} MiB, read and written", *cells(found.bytes_per_s, 1e-9), "GB/s")
    shown.add_row("starting one small operation", *cells(found.launch_us, 1.0), "µs")
    return shown


def cells(rate: Rate, scale: float) -> tuple[str, str]:
    """Median and quartiles in a unit."""
    return f"{rate.median * scale:,.4g}", f"{rate.q1 * scale:,.4g}–{rate.q3 * scale:,.4g}"


def notes(found: Ceilings) -> list[str]:
    """What a reader must know beside the figures."""
    ridge = f"with fewer than {found.flops_per_byte:.3g} operations per byte memory is the limit, with more arithmetic"
    measured = f"measured at {found.measured_at} with torch {found.versions.get('torch', 'of unknown version')}"
    if not found.disturbed or found.others_share is None:
        return [ridge, measured]
    return [
        ridge,
        measured,
        f"other work kept {found.others_share:.0%} of the processors busy meanwhile: these ceilings are too low, and were "
        "not kept; ask again on a quiet machine",
    ]
