"""The command ``dyad up``, which the ``dyad`` command finds through its entry points, as it does :mod:`backend.runs_cli`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from backend.launch import backend_program, dashboard_program, run_together
from backend.ports import check_port, free_port
from backend.runs_cli import runs
from backend.security import wiring as security
from backend.service_client import asks_for_token, end, settings_of_here
from dyad_core.errors import DyadError

__all__ = ["runs", "up"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (DYAD_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the service (DYAD_PORT); 0 takes a free one.")] = None,
    dashboard_port: Annotated[
        int | None, typer.Option(help="Port of the dashboard (DYAD_DASHBOARD_PORT); 0 takes a free one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the service and the dashboard together; Ctrl-C ends both."""
    settings = settings_of_here()
    host = settings.host if host is None else host
    try:
        port = _usable(host, settings.port if port is None else port, "--port or DYAD_PORT")
        dashboard_port = _usable(
            host,
            settings.dashboard_port if dashboard_port is None else dashboard_port,
            "--dashboard-port or DYAD_DASHBOARD_PORT",
        )
        if port == dashboard_port:
            end(f"The service and the dashboard cannot share port {port}; --dashboard-port names another.")
        service = backend_program(host, port)
        dashboard = dashboard_program(host, dashboard_port, service.url)
        addresses = {"dashboard": dashboard.url, "backend": service.url, "api_docs": f"{service.url}/docs"}

        def announce() -> None:
            _announce(addresses, as_json)
            security.warn(host, settings, has_tokens=asks_for_token(service.url))

        run_together([service, dashboard], announce)
    except DyadError as error:
        end(str(error))


def _usable(host: str, port: int, setting: str) -> int:
    if not 0 <= port <= 65535:
        end(f"{port} is not a port; ports go from 0 to 65535. Choose another with {setting}.")
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
