"""``dyad original-conditions``: how much of the published speed-up is structure, and how much is float16 beside float32.

Without options it replays the published rows; ``dyad original-conditions --measure --device cuda`` measures the same mixed
comparison here, as two ordinary runs. Needs typer and rich (``pip install 'dyad-explorer[cli]'``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.files import save_runs
from dyad_core.bench.original_conditions import AS_PUBLISHED, measure_original_conditions, published_conditions
from dyad_core.bench.precision_split import Decomposition, OriginalConditions, Ratio
from dyad_core.cli.bench import measure_with_bar
from dyad_core.cli.saying import FAILED, INTERRUPTED, WRONG_INPUT, check_folder, sentence, stop
from dyad_core.errors import BenchmarkError, SpecError

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command("original-conditions")
def original_conditions(
    measure: Annotated[bool, typer.Option("--measure", help="Measure it here instead of replaying the rows.")] = False,
    in_features: Annotated[int, typer.Option("--in", help="Size of each input sample.")] = 768,
    out_features: Annotated[int, typer.Option("--out", help="Size of each output sample.")] = 3072,
    tokens: Annotated[int, typer.Option(help="Rows of the input: batch × sequence.")] = 4096,
    blocks: Annotated[int, typer.Option("--blocks", help="Block count n.")] = 4,
    variant: Annotated[str, typer.Option(help="it, ot, dt or bd.")] = "it",
    device: Annotated[str, typer.Option(help="cuda or cuda:<index>; cpu where it has float16 arithmetic.")] = "cuda",
    implementation: Annotated[str, typer.Option(help="How DYAD is computed; default: as published.")] = AS_PUBLISHED,
    seed: Annotated[int, typer.Option(help="Of weights, inputs and the order of rounds.")] = 0,
    max_seconds: Annotated[float, typer.Option(help="Budget of the timing of both runs, in seconds.")] = 60.0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Measure where float16 is emulated, too.")] = False,
    save: Annotated[Path | None, typer.Option(help="Also write the two runs to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Take the published speed-up apart: DYAD in float16 beside dense in float32 is not like for like."""
    try:
        check_folder(save)
        if measure:
            answer = measure_original_conditions(
                in_features,
                out_features,
                tokens=tokens,
                n_blocks=blocks,
                variant=variant,  # type: ignore[arg-type] # checked by the request, with a sentence
                device=device,
                implementation=implementation,
                seed=seed,
                max_seconds=max_seconds,
                anyway=anyway,
                run=measured,
            )
        else:
            answer = published_conditions()
        if save is not None and answer.runs:
            save_runs(save, answer.runs)
    except SpecError as error:
        stop("\n".join(sentence(problem) for problem in error.problems), WRONG_INPUT)
    except BenchmarkError as error:
        stop(str(error).splitlines()[0], FAILED)
    except KeyboardInterrupt:
        stop("interrupted; the measuring process is gone", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(answer.to_dict(), ensure_ascii=False, indent=2))
    else:
        show(answer)


def measured(spec: BenchmarkSpec, **_watching: Any) -> BenchmarkRun:
    """Measure with a progress bar."""
    return measure_with_bar(spec)


def show(answer: OriginalConditions) -> None:
    """Print the label, one row per layer and pass, the arithmetic, the reading and the caveats."""
    console = Console()
    whole = [each for each in answer.decompositions if not each.missing]
    if whole:
        console.print(factors_table(answer, whole))
        console.print(f"{whole[0].parts[0].arithmetic}\n", highlight=False, markup=False)
    console.print(answer.reading, highlight=False, markup=False)
    lacking = [each for each in answer.decompositions if each.missing]
    if answer.kind == "measured":
        for each in lacking:
            console.print(f"Note: {each.reading}.", highlight=False, markup=False, style="yellow")
    elif lacking:
        ratios = [each.parts[0].structure.ratio for each in lacking if each.parts[0].structure is not None]
        console.print(
            f"Note: {len(lacking)} further published layers have float32 rows only: {min(ratios):.2f}x to "
            f"{max(ratios):.2f}x of dense in equal precision (--json lists them).",
            highlight=False,
            markup=False,
        )
    for caveat in answer.caveats:
        console.print(f"Note: {caveat.rstrip('.')}.", highlight=False, markup=False, style="yellow")
    console.print(f"Source: {answer.source}; {answer.conditions}.", highlight=False, markup=False)


def factors_table(answer: OriginalConditions, whole: list[Decomposition]) -> Table:
    """The headline of each layer and pass with its two factors."""
    where = "published rows" if answer.kind == "replay" else answer.device_name
    table = Table(
        title=f"DYAD in float16 beside dense in float32, {answer.label.upper()} ({where})",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("layer", "pass"):
        table.add_column(name, no_wrap=True)
    for name in ("mixed", "= structure", "× precision"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in whole:
        model = "" if each.model is None else f"{each.model} "
        for index, part in enumerate(each.parts):
            layer = f"{model}{each.in_features}→{each.out_features} {each.variant.upper()} n={each.n_blocks}"
            ratios = [cell(ratio) for ratio in (part.headline, part.structure, part.precision)]
            last = index == len(each.parts) - 1
            table.add_row("" if index else layer, part.pass_.replace("_", " "), *ratios, end_section=last)
    return table


def cell(ratio: Ratio | None) -> str:
    """A ratio with its interval where it has one."""
    if ratio is None:
        return ""
    return f"{ratio.ratio:.2f}x" + ("" if ratio.low is None else f" ({ratio.low:.2f}–{ratio.high:.2f})")
