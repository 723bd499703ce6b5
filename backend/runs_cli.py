"""The command ``dyad runs``: what a service keeps, and result files; ``dyad`` finds it through its entry points.

Exit codes: 0 done, 1 the service refuses or is not there (or nothing can be compared), 2 a file or an argument is unusable.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from backend.runs_tables import comparison_tables, figures_table, machine_words, runs_table
from backend.service_client import REFUSED, WRONG_INPUT, ask, end
from dyad_core.bench import BenchmarkRun
from dyad_core.bench.compare import compare
from dyad_core.bench.files import MAX_FILE_BYTES, load_runs, parse_runs
from dyad_core.bench.reference import FOLDER, adopt, make_reference
from dyad_core.errors import BenchmarkError, SpecError

__all__ = ["runs"]

runs = typer.Typer(help="List, show, compare, export and import runs; make reference runs.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ApiUrl = Annotated[str | None, typer.Option(help="Address of the service; default is DYAD_API_URL.")]
RunId = Annotated[str, typer.Argument(help="Id of a run, as `dyad runs list` shows it.")]


def _checked(run_id: str, or_else: str = "") -> str:
    """A run's id; ends with a sentence where it cannot be one."""
    if not re.fullmatch(r"[0-9a-f]{32}", run_id, re.ASCII):
        end(
            f"{run_id!r} is not {or_else}the id of a run, which has 32 hexadecimal digits; `dyad runs list` shows them.",
            WRONG_INPUT,
        )
    return run_id


@runs.command("list")
def list_runs(
    status: Annotated[str | None, typer.Option(help="For example succeeded.")] = None,
    origin: Annotated[str | None, typer.Option(help="local, imported or reference.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    api_url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    wanted = {"limit": limit, "status": status, "origin": origin}
    page = ask(
        api_url, "/benchmarks", query={name: value for name, value in wanted.items() if value is not None}
    ).json()
    if as_json:
        typer.echo(json.dumps(page, indent=2))
    else:
        Console().print(runs_table(page))


@runs.command("show")
def show_run(run_id: RunId, api_url: ApiUrl = None, as_json: AsJson = False) -> None:
    """Show one run: its state and, when it succeeded, its figures."""
    record = ask(api_url, f"/benchmarks/{_checked(run_id)}").json()
    if as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    console = Console()
    moment = record["measured_at"] or record["created_at"]
    console.print(f"{record['id']}  {record['status']}  ({record['origin']}, {moment})", markup=False)
    if record["machine"]:
        console.print(f"Measured on {machine_words(record['machine'])}.", markup=False)
    if record["error"]:
        console.print(f"{record['error']['title']}: {record['error']['detail']}", markup=False)
    for warning in record["warnings"]:
        console.print(f"Note: {warning}", markup=False)
    if record["result"]:
        console.print(figures_table(record["result"]))
        console.print(record["result"]["reading"], markup=False)


@runs.command("compare")
def compare_runs(
    which: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or result files; two to eight.")],
    api_url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Hold runs against the first: what differs, and the ratios of times. Ids and files may be mixed.

    Ends with 1 when nothing of them can be compared.
    """
    found = [(run, source) for source in which for run in _runs_of(source, api_url)]
    try:
        comparison = compare([run for run, _ in found])
    except SpecError as error:
        end(_words(error), WRONG_INPUT)
    named = [
        {"name": name, "source": source, "machine": run.environment.device_name, "measured_at": run.created_at}
        for name, (run, source) in zip(comparison.names, found, strict=True)
    ]
    if as_json:
        typer.echo(json.dumps({"runs": named, "comparison": comparison.to_dict()}, indent=2))
    else:
        console = Console()
        for each in named:
            words = f"{each['name']}: {each['source']}, {each['machine']}, {each['measured_at']}"
            console.print(words, markup=False, highlight=False)
        for table in comparison_tables(comparison):
            console.print(table)
        console.print(comparison.reading, markup=False, highlight=False)
        console.print(comparison.method, markup=False, highlight=False, style="dim")
    if not comparison.comparable:
        raise typer.Exit(REFUSED)


def _runs_of(source: str, api_url: str | None) -> list[BenchmarkRun]:
    """The runs of a file, or the one run of a service."""
    try:
        if Path(source).is_file():
            return load_runs(source)
        return parse_runs(ask(api_url, f"/benchmarks/{_checked(source, 'a result file or ')}/export").content)
    except SpecError as error:
        end(f"{source}: {_words(error)}", WRONG_INPUT)


@runs.command("export")
def export_run(
    run_id: RunId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default is stdout.")] = None,
    form: Annotated[str, typer.Option("--format", help="json (can be imported again), csv or parquet.")] = "json",
    api_url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Export the result of a run; ``--json`` prints where it was written."""
    if form == "parquet" and output is None and sys.stdout.isatty():
        end("A Parquet file is not for the screen: name a file with --output.", WRONG_INPUT)
    content = ask(api_url, f"/benchmarks/{_checked(run_id)}/export", query={"format": form}).content
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        end(f"{output} cannot be written: {error.strerror}.")
    typer.echo(json.dumps({"file": str(output), "bytes": len(content)}) if as_json else f"{output} written.")


@runs.command("import")
def import_runs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Result files, JSON.")],
    api_url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Keep result files of other machines beside the own runs; a run that is here already is not kept twice."""
    contents = [_content(file) for file in files]
    answers: list[dict[str, Any]] = []
    for file, content in zip(files, contents, strict=True):
        record = ask(api_url, "/benchmarks/import", method="POST", content=content).json()
        answers.append({"file": str(file), "imported": record["imported"], "existing": record["existing"]})
    if as_json:
        typer.echo(json.dumps(answers, indent=2))
        return
    for answer in answers:
        for run_id in answer["imported"]:
            here = "was here already" if run_id in answer["existing"] else "imported"
            typer.echo(f"{run_id}  {here}  ({answer['file']})")


def _content(file: Path) -> bytes:
    """The bytes of a file that is a result file as far as can be told here; else nothing of any file is sent."""
    try:
        load_runs(file)
        with file.open("rb") as opened:
            return opened.read(MAX_FILE_BYTES)
    except SpecError as error:
        end(f"{file}: {_words(error)}", WRONG_INPUT)
    except OSError as error:
        end(f"{file} cannot be read: {error.strerror}.", WRONG_INPUT)


@runs.command("adopt")
def adopt_runs(
    name: Annotated[str, typer.Argument(help="Of the reference file, for example cpu-epyc-zen4-2-cores.")],
    results: Annotated[Path | None, typer.Option(help="Take this result file instead of measuring.")] = None,
    device: Annotated[str, typer.Option(help="Where to measure: cpu, cuda or cuda:<index>.")] = "cpu",
    folder: Annotated[Path, typer.Option(help="Where to write; by default where the service finds it.")] = FOLDER,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: tries the path in minutes.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Measure on a busy machine too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make reference runs of this machine: measure the speed suite, or take a result file, without the host's name."""
    try:
        if results is None:
            path = make_reference(
                name,
                device=device,
                quick=quick,
                anyway=anyway,
                folder=folder,
                say=lambda line: typer.echo(line, err=True),
            )
        else:
            path = adopt(load_runs(results), name, folder)
    except SpecError as error:
        end(_words(error), WRONG_INPUT)
    except BenchmarkError as error:
        end(str(error).partition("\n")[0])
    typer.echo(json.dumps({"file": str(path), "runs": len(load_runs(path))}) if as_json else f"{path} written.")


def _words(error: SpecError) -> str:
    return "\n".join(f"{problem}." for problem in error.problems)
