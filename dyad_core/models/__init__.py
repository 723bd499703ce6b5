"""Whole models with DYAD in them: presets, cost, and their measured step. Needs ``pip install 'dyad-explorer[models]'``.

The names below are imported when they are first used: what is asked and answered (:mod:`~dyad_core.models.spec`,
:mod:`~dyad_core.models.records`) and the presets need no transformers, the others say what to install where it is missing. Importing
this package lets transformers' ``from_pretrained`` load models that were saved with DYAD layers.
"""

from __future__ import annotations

import importlib
import typing

from dyad_core.models.persistence import registration

if typing.TYPE_CHECKING:
    from dyad_core.models.building import build
    from dyad_core.models.configs import read_config
    from dyad_core.models.cost.estimate import estimate
    from dyad_core.models.layers import linear_layers
    from dyad_core.models.measuring import run_model
    from dyad_core.models.original import load_original_model
    from dyad_core.models.presets import PRESETS, Preset
    from dyad_core.models.records import ModelEstimate, ModelRun
    from dyad_core.models.spec import EstimateSpec, ModelSpec
    from dyad_core.models.swapping import SwapReport, swap

__all__ = [
    "PRESETS",
    "EstimateSpec",
    "ModelEstimate",
    "ModelRun",
    "ModelSpec",
    "Preset",
    "SwapReport",
    "build",
    "estimate",
    "linear_layers",
    "load_original_model",
    "read_config",
    "run_model",
    "swap",
]

_HOMES = {
    "PRESETS": "presets",
    "EstimateSpec": "spec",
    "ModelEstimate": "records",
    "ModelRun": "records",
    "ModelSpec": "spec",
    "Preset": "presets",
    "SwapReport": "swapping",
    "build": "building",
    "estimate": "cost.estimate",
    "linear_layers": "layers",
    "load_original_model": "original",
    "read_config": "configs",
    "run_model": "measuring",
    "swap": "swapping",
}

registration.register_with_transformers()


def __getattr__(name: str) -> typing.Any:
    """Import a name of this package from its home, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
