"""The commands ``dyad backup`` and ``dyad restore``; ``dyad`` finds them through its entry points."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from backend.backup import Facts, make_backup, restore_backup
from backend.service_client import end, settings_of_here
from backend.settings import Settings
from dyad_core.errors import DyadError

__all__ = ["backup", "restore"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DUMP = "The database is PostgreSQL, which is not in this file: save it with pg_dump (docs/operations.md)."
LOAD = "The database is PostgreSQL, which is not in this file: put it back with pg_restore (docs/operations.md)."


def backup(
    file: Annotated[Path, typer.Argument(help="The new file, for example dyad.tar or dyad.tar.gz.")],
    as_json: AsJson = False,
) -> None:
    """Save runs, uploads and unfinished sweeps of DYAD_HOME into one file; the service may run meanwhile."""
    _tell(_done(make_backup, file), "Saved", f"in {file}", DUMP, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `dyad backup` made.")], as_json: AsJson = False
) -> None:
    """Put a backup into DYAD_HOME, which keeps nothing yet; start the service afterwards."""
    _tell(_done(restore_backup, file), "Put back", f"from {file}", LOAD, as_json=as_json)


def _done(work: Callable[[Settings, Path], Facts], file: Path) -> Facts:
    try:
        return work(settings_of_here(), file)
    except DyadError as error:
        end(str(error))


def _tell(facts: Facts, start: str, where: str, about_postgresql: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(facts)))
        return
    runs = [] if facts.runs is None else [f"{facts.runs} jobs"]
    parts = [*runs, f"{facts.uploads} uploads", f"the points of {facts.sweeps} sweeps"]
    typer.echo(f"{start}: {', '.join(parts)}, {where}.")
    if facts.database != "sqlite":
        typer.echo(about_postgresql)
