"""Which model a command is about: a preset, a config in a file, or one of a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dyad_core.cli.saying import sentence
from dyad_core.errors import Problem, SpecError
from dyad_core.models.presets import PRESETS

__all__ = ["chosen", "model_sentence"]


def chosen(model: str | None, config: Path | None) -> str | dict[str, Any]:
    """The preset's name, or the object of the config that is named.

    Raises:
        SpecError: neither or both, a file that is no config, or a hub that does not answer.
    """
    if (model is None) == (config is None):
        received = None if model is None else f"{model} and {config}"
        raise SpecError([Problem("config", "must name a file, or the argument a preset, and not both", received)])
    if model in PRESETS:
        return str(model)
    from dyad_core.models.configs import read_config

    read = read_config(str(model), outside=True) if config is None else read_config(config)
    values: dict[str, Any] = read.to_dict()
    return values


def model_sentence(problem: Problem) -> str:
    """One problem as a sentence, with the flag's name in place of the field's; a field of a config is no flag."""
    return f"{problem}." if "." in problem.field else sentence(problem)
