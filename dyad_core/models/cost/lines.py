"""The Python lines that do a swap in one's own code, to copy: they run as printed, offline, in an empty folder."""

from __future__ import annotations

import json
import pprint
from typing import Any

from dyad_core.geometry import Variant
from dyad_core.models.building import is_masked
from dyad_core.models.configs import read_config
from dyad_core.models.presets import PRESETS
from dyad_core.models.spec import EstimateSpec, Mode

__all__ = ["python_lines"]

WIDTH = 100
_OPTIMIZERS = {"adamw": "torch.optim.AdamW(model.parameters())", "sgd": "torch.optim.SGD(model.parameters(), lr=1e-2)"}


def python_lines(spec: EstimateSpec, variant: Variant, n_blocks: int, mode: Mode) -> str:
    """Lines that build the model of ``spec``, put one candidate into it, save it and load it again.

    Args:
        spec: names the model, the layers, the dtype and the optimizer.
        variant: of the candidate.
        n_blocks: of the candidate.
        mode: of the candidate.

    Raises:
        SpecError: a config that cannot be read.
    """
    auto = "AutoModelForMaskedLM" if is_masked(read_config(spec.config)) else "AutoModelForCausalLM"
    folder = f"{spec.config}-dyad" if isinstance(spec.config, str) else "model-dyad"
    optimizer = _OPTIMIZERS.get(spec.optimizer)
    lines = [
        "# Needs: pip install 'dyad-explorer[models]'",
        *(["import torch"] if optimizer else []),
        f"from transformers import {auto}",
        "",
        "from dyad_core.models import build, swap  # from here on transformers loads models with DYAD in them",
        "",
        *_model(spec, auto),
        f"model, report = swap(model, {_arguments(spec, variant, n_blocks, mode)})",
        "print(report)",
        *(["model.activation_checkpointing_enable()"] if spec.checkpointing else []),
        *([f"optimizer = {optimizer}  # after the swap, or it holds the old weights"] if optimizer else []),
        "",
        f"model.save_pretrained({_literal(folder)})",
        f"model = {auto}.from_pretrained({_literal(folder)})",
    ]
    return "\n".join(lines) + "\n"


def _model(spec: EstimateSpec, auto: str) -> list[str]:
    trained = f'# For trained weights: model = {auto}.from_pretrained(…), and swap(model, …, weights="projected")'
    building = f'device="cpu", dtype="{spec.dtype}")  # fresh weights'
    if isinstance(spec.config, str) and spec.config in PRESETS:
        return [trained, f"model = build({_literal(spec.config)}, {building}"]
    text = pprint.pformat(spec.config, width=WIDTH, sort_dicts=False)
    return [f"config = {text}", trained, f"model = build(config, {building}"]


def _arguments(spec: EstimateSpec, variant: str, n_blocks: int, mode: str) -> str:
    arguments: dict[str, Any] = {"n_blocks": n_blocks, "variant": variant}
    if mode != "layers":
        arguments["mode"] = mode
    if spec.names:
        arguments["names"] = list(spec.names)
    if spec.grain != 1:
        arguments["grain"] = spec.grain
    return ", ".join(f"{name}={_literal(value)}" for name, value in arguments.items())


def _literal(value: Any) -> str:
    """A text, a number or a list of them in Python, whatever characters it holds: JSON's rules are Python's here."""
    return json.dumps(value, ensure_ascii=False)
