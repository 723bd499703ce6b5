"""The suites of ``dyad bench``: speed, structure and calibration, each with its own report."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dyad_core.bench.calibration import calibration_lines
from dyad_core.bench.control_suite import control_lines, control_specs
from dyad_core.bench.speed_run import SpeedOptions, run_speed
from dyad_core.bench.structure_suite import QUESTIONS, WIDTHS, structure_costs
from dyad_core.cli.saying import FAILED, INTERRUPTED, WRONG_INPUT, check_folder, sentence, stop
from dyad_core.cli.tables import cost_table
from dyad_core.errors import BenchmarkError, Problem, SpecError

__all__ = ["SUITES", "run_calibration", "run_speed_suite", "run_suite"]

SUITES = ("speed", "structure", "calibration")
SIMULATED_RUNS, SIMULATED_QUICK = 1000, 50


def run_speed_suite(options: dict[str, Any], *, as_json: bool) -> None:
    """Run the speed suite; with ``--json`` the report goes to standard error and the runs to standard output."""
    try:
        check_folder(options["out"])
        code = run_speed(SpeedOptions(**options), say=lambda line: typer.echo(line, err=as_json))
        if as_json and options["out"].exists():
            typer.echo(options["out"].read_text(encoding="utf-8"), nl=False)
    except SpecError as error:
        stop("\n".join(sentence(problem) for problem in error.problems), WRONG_INPUT)
    except KeyboardInterrupt:
        stop("interrupted; finished points are in the file, and --resume goes on", INTERRUPTED)
    raise typer.Exit(code)


def run_suite(name: str, *, as_json: bool) -> None:
    """Measure the cost of exact answers and print its table.

    Any other name is refused.
    """
    if name != "structure":
        rule = f"must be one of {', '.join(SUITES)}"
        stop(sentence(Problem("suite", rule, name, "python -m dyad_core.bench has the suites of runs")), WRONG_INPUT)
    rows = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=len(QUESTIONS) * len(WIDTHS))
        for row in structure_costs():
            rows.append(row)
            bar.update(task, advance=1, description=f"{row.question}, width {row.width}")
    if as_json:
        typer.echo(json.dumps([row.to_dict() for row in rows], indent=2))
    else:
        Console().print(cost_table(rows))


def run_calibration(device: str, *, quick: bool, as_json: bool) -> None:
    """Hold the engine to account: simulated machines of known ratios, then dense against dense on this one."""
    said: list[dict[str, Any]] = []
    simulated = calibration_lines(SIMULATED_QUICK if quick else SIMULATED_RUNS)
    try:
        for line, is_good in chain(simulated, control_lines(control_specs(device, quick=quick))):
            said.append({"line": line, "passed": is_good})
            typer.echo(line, err=as_json)
    except BenchmarkError as error:
        stop(str(error).splitlines()[0], FAILED)
    except KeyboardInterrupt:
        stop("interrupted", INTERRUPTED)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
    raise typer.Exit(0 if all(each["passed"] for each in said) else FAILED)
