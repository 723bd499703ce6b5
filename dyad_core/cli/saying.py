"""How commands refuse: sentences with the names of flags, and exit codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import typer

from dyad_core.errors import Problem, SpecError

__all__ = ["FAILED", "FLAGS", "INTERRUPTED", "WRONG_INPUT", "check_folder", "sentence", "stop"]

FLAGS = {"in_features": "--in", "out_features": "--out", "n_blocks": "--blocks", "n_seeds": "--seeds"}
"""Where the flag is not just the field's name."""

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130


def check_folder(save: Path | None) -> None:
    """Refuse a file that cannot be written before measuring for a minute, not after."""
    if save is not None and (save.is_dir() or not save.absolute().parent.is_dir()):
        raise SpecError([Problem("save", "must name a file in a folder that exists", str(save))])


def sentence(problem: Problem) -> str:
    """One problem with the flag's name in place of the field's."""
    flag = FLAGS.get(problem.field, f"--{problem.field.replace('_', '-')}")
    received = "" if problem.received is None else f"; received {problem.received!r}"
    ending = f" ({problem.suggestion})" if problem.suggestion else ""
    text = re.sub(r"\bn_blocks\b", "--blocks", f"{problem.rule}{received}{ending}")
    return f"{flag}: {text}."


def stop(text: str, code: int) -> NoReturn:
    """Say why on standard error and leave."""
    typer.echo(text, err=True)
    raise typer.Exit(code)
