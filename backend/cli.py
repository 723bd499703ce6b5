"""The commands ``dyad up`` and ``dyad runs``, which the ``dyad`` command finds through its entry points."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from backend.__main__ import settings_sentence
from backend.launch import backend_program, dashboard_program, run_together
from backend.ports import check_port, free_port
from backend.settings import Settings
from dyad_core.errors import DyadError

__all__ = ["runs", "up"]

runs = typer.Typer(help="List, show and export the runs that a service keeps.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ApiUrl = Annotated[str | None, typer.Option(help="Address of the service; default is DYAD_API_URL.")]
RunId = Annotated[str, typer.Argument(help="Id of a run, as `dyad runs list` shows it.")]


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (DYAD_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the service (DYAD_PORT); 0 takes a free one.")] = None,
    dashboard_port: Annotated[
        int | None, typer.Option(help="Port of the dashboard (DYAD_DASHBOARD_PORT); 0 takes a free one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the service and the dashboard together; Ctrl-C ends both."""
    settings = _settings()
    host = settings.host if host is None else host
    try:
        port = _usable(host, settings.port if port is None else port, "--port or DYAD_PORT")
        dashboard_port = _usable(
            host,
            settings.dashboard_port if dashboard_port is None else dashboard_port,
            "--dashboard-port or DYAD_DASHBOARD_PORT",
        )
        if port == dashboard_port:
            _end(f"The service and the dashboard cannot share port {port}; --dashboard-port names another.")
        service = backend_program(host, port)
        dashboard = dashboard_program(host, dashboard_port, service.url)
        addresses = {"dashboard": dashboard.url, "backend": service.url, "api_docs": f"{service.url}/docs"}
        run_together([service, dashboard], lambda: _announce(addresses, as_json))
    except DyadError as error:
        _end(str(error))


def _usable(host: str, port: int, setting: str) -> int:
    if not 0 <= port <= 65535:
        _end(f"{port} is not a port; ports go from 0 to 65535. Choose another with {setting}.")
    chosen = port or free_port(host)
    check_port(host, chosen, setting)
    return chosen


def _announce(addresses: dict[str, str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(addresses))
    else:
        typer.echo(f"\n  Dashboard  {addresses['dashboard']}\n  REST       {addresses['api_docs']}\n")
        typer.echo("  Ctrl-C ends both.\n")
    sys.stdout.flush()


@runs.command("list")
def list_runs(
    status: Annotated[str | None, typer.Option(help="For example succeeded.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    api_url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    query = {"limit": limit} | ({} if status is None else {"status": status})
    page = _get(api_url, "/benchmarks", query).json()
    if as_json:
        typer.echo(json.dumps(page, indent=2))
        return
    table = Table("id", "status", "layer", "variants", "n_blocks", "created", "reading", title=f"{page['total']} runs")
    for item in page["items"]:
        spec = item["spec"]
        table.add_row(
            item["id"],
            item["status"],
            f"{spec['in_features']}→{spec['out_features']}",
            " ".join(spec["variants"]),
            " ".join(str(n) for n in spec["n_blocks"]),
            item["created_at"][:16].replace("T", " "),
            item["headline"] or (item["error"] or {}).get("title", ""),
        )
    Console().print(table)


@runs.command("show")
def show_run(run_id: RunId, api_url: ApiUrl = None, as_json: AsJson = False) -> None:
    """Show one run: its state and, when it succeeded, its figures."""
    record = _get(api_url, f"/benchmarks/{run_id}").json()
    if as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    console = Console()
    console.print(f"{record['id']}  {record['status']}  ({record['origin']}, {record['created_at']})", markup=False)
    if record["error"]:
        console.print(f"{record['error']['title']}: {record['error']['detail']}", markup=False)
    for warning in record["warnings"]:
        console.print(f"Note: {warning}", markup=False)
    if record["result"]:
        console.print(_figures(record["result"]))
        console.print(record["result"]["reading"], markup=False)


def _figures(result: dict[str, Any]) -> Table:
    table = Table(
        "candidate", "implementation", "pass", "median ms", "speed-up", "95 % interval", "of limit", "peak MiB"
    )
    for candidate in result["candidates"]:
        n = candidate["n_blocks"]
        memory = candidate["memory"]
        speedup = candidate["speedup"]
        table.add_row(
            candidate["variant"] if n is None else f"{candidate['variant']} n={n} g={candidate['grain']}",
            candidate["implementation"],
            candidate["pass"],
            _number(candidate["median_ms"], ".3f") or candidate["outcome"],
            _number(speedup, ".2f"),
            "" if speedup is None else f"{candidate['speedup_low']:.2f} to {candidate['speedup_high']:.2f}",
            _number(candidate["share_of_limit"], ".0%"),
            "" if memory is None else f"{memory['peak_bytes'] / 2**20:.1f}",
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


@runs.command("export")
def export_run(
    run_id: RunId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default is stdout.")] = None,
    form: Annotated[str, typer.Option("--format", help="json (can be imported again) or csv.")] = "json",
    api_url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Export the result of a run; ``--json`` prints where it was written."""
    content = _get(api_url, f"/benchmarks/{run_id}/export", {"format": form}).content
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        _end(f"{output} cannot be written: {error.strerror}.")
    typer.echo(json.dumps({"file": str(output), "bytes": len(content)}) if as_json else f"{output} written.")


def _get(api_url: str | None, path: str, query: dict[str, Any] | None = None) -> httpx.Response:
    base = (api_url or _settings().api_url).rstrip("/")
    try:
        answer = httpx.get(f"{base}/api/v1{path}", params=query, timeout=30.0)
    except httpx.InvalidURL as error:
        _end(f"{base} is not an address: {error}. DYAD_API_URL or --api-url names the service.")
    except httpx.HTTPError as error:
        _end(f"No service answers at {base} ({error}). Start it with `dyad up`, or name another by --api-url.")
    if not answer.is_success:
        _end(_problem_text(answer))
    return answer


def _problem_text(answer: httpx.Response) -> str:
    if "problem+json" not in answer.headers.get("content-type", ""):
        return f"{answer.url} answers {answer.status_code}; is this the DYAD service?"
    problem = answer.json()
    lines = [
        f"  {item['field']}: {item['rule']}; received {item['received']!r}. {item['suggestion']}".rstrip()
        for item in problem["errors"]
    ]
    return "\n".join([problem["detail"], *lines])


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        _end(settings_sentence(error))


def _end(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
