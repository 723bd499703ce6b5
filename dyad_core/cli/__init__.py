"""The ``dyad`` command. Everything that needs typer and rich is in this folder: ``pip install 'dyad-explorer[cli]'``.

This file needs neither, so that it can say what is missing.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_INSTALL = "The dyad command needs typer and rich: pip install 'dyad-explorer[cli]'"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{_INSTALL} ({error.name} is missing).\n")
        sys.exit(1)
    from dyad_core.cli.group import command_group

    command_group()(args=arguments, prog_name="dyad")
