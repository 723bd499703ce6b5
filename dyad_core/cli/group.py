"""The command group: ``dyad bench``, ``dyad structure``, and what other packages add.

Commands are found by name and imported only when they are used or listed. Those of other packages come through
the entry-point group ``dyad.commands`` (a function or a ``typer.Typer``), so the library never imports the service;
one whose package is absent is listed as unavailable, with the reason.

typer carries its own click, whose types have no public name; they are ``Any`` here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dyad_core._version import __version__

__all__ = ["command_group"]

ENTRY_POINT_GROUP = "dyad.commands"

BUILT_IN = {
    "bench": "dyad_core.cli.bench:app",
    "ceilings": "dyad_core.cli.ceilings:app",
    "verdict": "dyad_core.cli.verdict:app",
    "model": "dyad_core.cli.model:app",
    "original-conditions": "dyad_core.cli.original_conditions:app",
    "project": "dyad_core.cli.project:app",
    "structure": "dyad_core.cli.structure:structure",
    "sweep": "dyad_core.cli.sweep:app",
    "tune": "dyad_core.cli.tune:app",
}


class DyadGroup(TyperGroup):
    """Loads a command when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all commands, built-in ones first."""
        return [*BUILT_IN, *(name for name in entry_points() if name not in BUILT_IN)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - click's signature
        """The command of this name, or None."""
        if cmd_name in BUILT_IN:
            return as_command(cmd_name, resolve(BUILT_IN[cmd_name]))
        found = entry_points().get(cmd_name)
        if found is None:
            return None
        try:
            return as_command(cmd_name, found.load())
        except ImportError as error:
            return unavailable(cmd_name, error)


def command_group() -> Any:
    """Build the group."""
    app = typer.Typer(cls=DyadGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(dyad)
    return typer.main.get_command(app)


def show_version(wanted: bool) -> None:
    """Print the version and leave, if wanted."""
    if wanted:
        typer.echo(f"dyad-explorer {__version__}")
        raise typer.Exit


def dyad(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Measure, picture and judge DYAD layers beside their dense twins."""


def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """Commands that installed packages declare, by name, sorted."""
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def resolve(path: str) -> Any:
    """Import ``module:attribute``."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def as_command(name: str, target: Any) -> Any:
    """Make a click command of a function or a ``typer.Typer``."""
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False)
        target.command(name)(function)
    command = typer.main.get_command(target)
    command.name = name
    return command


def unavailable(name: str, error: ImportError) -> Any:
    """A stand-in for a command whose package is not here: it says so, in the list and when called."""
    reason = f"the package {error.name!r} is not installed here" if error.name else str(error)
    app = typer.Typer(add_completion=False)

    def explain() -> None:
        typer.echo(f"dyad {name} is unavailable: {reason}.", err=True)
        raise typer.Exit(1)

    app.command(
        name,
        help=f"Unavailable: {reason}.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(explain)
    return as_command(name, app)
