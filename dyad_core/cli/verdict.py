"""``dyad verdict``: swap or not, from a result file or measured now, as one sentence and an exit code for CI.

Run ``dyad verdict --in 768 --out 3072 --blocks 4 --require 1.2``, or ``dyad verdict results.json --blocks 4``, the file
first. It exits with 0 for swap, 1 for do not swap, 3 where it depends, cannot be told or has no evidence, 2 for wrong
input and 4 where nothing could be measured. Needs typer and rich (``pip install 'dyad-explorer[cli]'``).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dyad_core.bench import BenchmarkRun, BenchmarkSpec
from dyad_core.bench.files import load_runs, save_runs
from dyad_core.cli.arguments import MultiValueCommand
from dyad_core.cli.bench import measure_with_bar
from dyad_core.cli.saying import INTERRUPTED, WRONG_INPUT, check_folder, sentence, stop
from dyad_core.errors import BenchmarkError, Problem, SpecError
from dyad_core.verdict import Decision, Verdict, verdicts
from dyad_core.verdict.deciding import number_problems

__all__ = ["EXIT_CODES", "app"]

app = typer.Typer(add_completion=False)

EXIT_CODES: dict[Decision, int] = {
    "swap": 0,
    "do_not_swap": 1,
    "depends": 3,
    "not_distinguishable": 3,
    "no_evidence": 3,
}
NOT_MEASURED = 4

CODES_HELP = (
    "Exit codes: 0 swap; 1 do not swap; 3 it depends, is not distinguishable, or has no evidence; "
    "2 wrong input; 4 it could not be measured."
)
CHOSEN = {"n_blocks": "n_blocks", "variants": "variant", "implementations": "implementation"}
"""Options that choose a candidate of a finished run, by the name the verdict knows."""

SHOWN = {"required_speedup": "require", "variant": "variants", "implementation": "implementations"}
"""Fields of a verdict under the names of their flags."""


@app.command("verdict", cls=MultiValueCommand, epilog=CODES_HELP)
def verdict(
    file: Annotated[Path | None, typer.Argument(help="A result file; without one it is measured now.")] = None,
    run: Annotated[int | None, typer.Option(help="Which run of the file, 0 for the first; default: all.")] = None,
    in_features: Annotated[int | None, typer.Option("--in", help="Size of each input sample.")] = None,
    out_features: Annotated[int | None, typer.Option("--out", help="Size of each output sample.")] = None,
    blocks: Annotated[list[int], typer.Option("--blocks", help="Block counts n; of a file, the one to judge.")] = [],  # noqa: B006
    variants: Annotated[list[str], typer.Option(help="it, ot, dt, bd; of a file, the one to judge.")] = [],  # noqa: B006
    passes: Annotated[list[str], typer.Option(help="What it is for: forward, train_step, …; one or more.")] = [],  # noqa: B006
    implementations: Annotated[list[str], typer.Option(help="Ways to compute it; of a file, the one to judge.")] = [],  # noqa: B006
    tokens: Annotated[int | None, typer.Option(help="Rows of the input: batch × sequence.")] = None,
    module: Annotated[str | None, typer.Option(help="linear or feed_forward (in → out → in).")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, float64, bfloat16 or float16; for both sides.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:<index>.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: physical cores.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="Of a train_step: adamw, sgd or none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, inputs and the order of rounds.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Budget of the timing, in seconds.")] = None,
    require: Annotated[float, typer.Option(help="The speed-up that the whole 95 % interval has to lie above.")] = 1.0,
    max_loss: Annotated[
        float | None, typer.Option(help="Largest loss of published quality to accept, as a share; default: do not ask.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Also write the run that was measured to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON and nothing else.")] = False,
) -> None:
    """Swap, do not swap, depends, or not distinguishable: one sentence with figures, and an exit code for CI."""
    values = {
        "in_features": in_features,
        "out_features": out_features,
        "n_blocks": blocks or None,
        "variants": variants or None,
        "passes": passes or None,
        "implementations": implementations or None,
        "tokens": tokens,
        "module": module,
        "dtype": dtype,
        "device": device,
        "threads": threads,
        "optimizer": optimizer,
        "seed": seed,
        "max_seconds": max_seconds,
    }
    given = {name: value for name, value in values.items() if value is not None}
    wanted = {"required_speedup": require, "max_loss": max_loss}
    try:
        found = from_file(file, run, given, wanted, save) if file else [measured_now(given, wanted, run, save)]
    except SpecError as error:
        stop("\n".join(sentence(shown(problem)) for problem in error.problems), WRONG_INPUT)
    except BenchmarkError as error:
        stop(str(error).splitlines()[0], NOT_MEASURED)
    except KeyboardInterrupt:
        stop("interrupted; the measuring process is gone", INTERRUPTED)
    if as_json:
        answers = [{**best.to_dict(), "others": [each.to_dict() for each in others]} for best, *others in found]
        answer = answers[0] if len(answers) == 1 else {"verdicts": answers}
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        for of_run in found:
            show(of_run, short=len(found) > 1)
    raise typer.Exit(exit_code([of_run[0].decision for of_run in found]))


def measured_now(
    given: dict[str, Any], wanted: dict[str, Any], run: int | None, save: Path | None
) -> tuple[Verdict, ...]:
    """Measure and judge every candidate of the request, best first.

    Raises:
        SpecError: before anything is measured, for a wrong request.
        BenchmarkError: it could not be measured.
    """
    if run is not None:
        raise SpecError([Problem("run", "chooses a run of a result file, and none is named", run)])
    check_folder(save)
    spec = checked(given, wanted)
    measured = measure_with_bar(spec)
    if save is not None:
        save_runs(save, [measured])
    return verdicts(measured, address=None if save is None else str(save), **wanted)


def from_file(
    file: Path, run: int | None, given: dict[str, Any], wanted: dict[str, Any], save: Path | None
) -> list[tuple[Verdict, ...]]:
    """Judge one run of a result file, or each.

    Raises:
        SpecError: the file cannot be read or holds no such run or candidate; or an option asks for a measurement.
    """
    try:
        runs = load_runs(file)
    except SpecError as error:
        stop("\n".join(f"{file}: {problem}." for problem in error.problems), WRONG_INPUT)
    problems = [
        Problem(name, "cannot be chosen for a run that is over", given[name], "leave it out, or measure without a file")
        for name in given
        if name not in CHOSEN and name != "passes"
    ]
    problems += [
        Problem(name, "must be one value where a finished run is judged", value)
        for name, value in given.items()
        if name in CHOSEN and len(value) > 1
    ]
    if save is not None:
        problems.append(Problem("save", "writes what was measured, and nothing is", str(save)))
    if run is not None and not 0 <= run < len(runs):
        problems.append(Problem("run", f"must be from 0 to {len(runs) - 1}, for the file holds {len(runs)}", run))
    if problems:
        raise SpecError(problems)
    choice = {CHOSEN[name]: value[0] for name, value in given.items() if name in CHOSEN}
    indices = range(len(runs)) if run is None else [run]
    return [
        verdicts(
            runs[index],
            passes=given.get("passes"),
            origin=origin(runs[index]),
            address=str(file) if len(runs) == 1 else f"{index} of {file}",
            **choice,
            **wanted,
        )
        for index in indices
    ]


def origin(run: BenchmarkRun) -> str:
    """Whether a run of a file is of this machine, by the name of the host."""
    return "local" if run.environment.hostname == platform.node() else "imported"


def checked(given: dict[str, Any], wanted: dict[str, Any]) -> BenchmarkSpec:
    """The request, its thresholds checked with it: before measuring for a minute, not after.

    Raises:
        SpecError: with every problem.
    """
    problems = number_problems(**wanted)
    try:
        spec = BenchmarkSpec.from_dict(given)
    except SpecError as error:
        raise SpecError([*error.problems, *problems]) from error
    if problems:
        raise SpecError(problems)
    return spec


def exit_code(decisions: Sequence[Decision]) -> int:
    """One code for all runs: theirs where it is the same for all, else 3."""
    codes = {EXIT_CODES[decision] for decision in decisions}
    return codes.pop() if len(codes) == 1 else EXIT_CODES["depends"]


def show(found: tuple[Verdict, ...], *, short: bool) -> None:
    """Print the verdict, and unless ``short`` what it rests on and the other candidates."""
    best, *others = found
    console = Console()
    console.print(best.sentence, highlight=False, markup=False)
    if short:
        return
    reach = "" if best.reach is None else f"Structure: {best.reach.text}."
    for line in (reach, f"Quality: {best.quality.reading}.", f"Rests on: {', '.join(best.evidence)}."):
        if line:
            console.print(line, highlight=False, markup=False)
    for warning in best.warnings:
        console.print(f"Note: {warning}.", highlight=False, markup=False, style="yellow")
    if others:
        console.print(others_table(others))


def others_table(others: Sequence[Verdict]) -> Table:
    """The other candidates, best first: decision and the speed-up of each pass."""
    table = Table(title="The other candidates", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("candidate", "implementation", "verdict", "speed-up by pass"):
        table.add_column(name, no_wrap=name != "speed-up by pass")
    for each in others:
        times = [
            f"{judged.pass_} " + ("none" if judged.time is None else f"{judged.time.speedup:.2f}x")
            for judged in each.passes
        ]
        row = (each.geometry.label, each.geometry.implementation, each.decision.replace("_", " "), ", ".join(times))
        table.add_row(*row)
    return table


def shown(problem: Problem) -> Problem:
    """The problem under the name of its flag."""
    return replace(problem, field=SHOWN.get(problem.field, problem.field))
