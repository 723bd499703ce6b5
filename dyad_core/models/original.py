"""Whole models of the original code (asappresearch/dyad): its ``sparse_opt`` and ``sparse_gpt_neox`` checkpoints.

The original forks transformers and writes a DYAD layer in the place of each feed-forward layer: ``fc1.wl``, ``fc1.wu`` and ``fc1.bias`` as
a column. Everything else is named as transformers named it in 2022, which is mapped here:

| key in the checkpoint | what becomes of it |
| --- | --- |
| ``<layer>.wl``, ``<layer>.wu``, ``<layer>.bias`` | see :mod:`dyad_core.surgery.original_checkpoint` |
| ``module.…`` | the same without ``module.``, which a wrapper for several processes added |
| ``decoder.…``, ``layers.…`` of the model without its head | the same under ``model.`` or ``gpt_neox.`` |
| ``embed_out.weight`` | ``lm_head.weight``, as GPT-NeoX's head is called now |
| ``lm_head.weight`` | the embedding where both are tied, absent or present |
| ``attention.bias``, ``attention.masked_bias``, ``rotary_emb.inv_freq`` | left out: constants that are computed now |

Every tensor is loaded to the bit, or nothing is: a checkpoint of another model is refused with all that does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dyad_core.errors import Problem, SpecError
from dyad_core.models.building import build
from dyad_core.models.configs import read_config
from dyad_core.models.hugging_face import PreTrainedConfig, PreTrainedModel
from dyad_core.models.persistence.attaching import keep_settings
from dyad_core.surgery import load_original, replace_linear
from dyad_core.surgery.finding import find_linears

__all__ = ["load_original_model"]

MODEL_TYPES = {"sparse_opt": "opt", "sparse_gpt_neox": "gpt_neox"}
ADDED_KEYS = ("dyad_dim", "lm_dyad_dim")
FILES = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json")
COMPUTED = re.compile(r"\.attention\.(bias|masked_bias)$|\.rotary_emb\.inv_freq$")


def load_original_model(
    checkpoint: str | Path | Mapping[str, Tensor], config: str | dict[str, Any] | Path | PreTrainedConfig | None = None
) -> PreTrainedModel:
    """Return the model of a checkpoint of the original code, in evaluation mode, ready to be saved as ours.

    Args:
        checkpoint: a folder with its weights and ``config.json``, a file of weights (``.bin``, ``.pt`` or ``.safetensors``), or a
            state dict.
        config: of the dense model, as :func:`dyad_core.models.read_config` takes it, or the original ``config.json``, whose
            ``model_type`` is ``sparse_opt`` or ``sparse_gpt_neox``. None reads the one in the folder.

    Raises:
        SpecError: no such files, a config of another model or another ``dyad_dim``, or tensors that are missing on either side or
            have other shapes; all that hold.
    """
    values = _config_values(checkpoint, config)
    dyad_dim = values.get("dyad_dim") if isinstance(values, dict) else None
    state = _without_wrapper(checkpoint if isinstance(checkpoint, Mapping) else _tensors(Path(checkpoint)))
    blocks = {key.removesuffix(".wl"): int(value.shape[0]) for key, value in state.items() if key.endswith(".wl")}
    problems = [
        Problem(f"{name}.wl", f"must have the config's dyad_dim={dyad_dim} blocks", n)
        for name, n in blocks.items()
        if dyad_dim is not None and n != dyad_dim
    ]
    if not blocks:
        rule = "must have layers of the original code, keys '<layer>.wl' and '<layer>.wu'"
        problems.append(Problem("checkpoint", rule, f"{len(state)} other keys"))
    if problems:
        raise SpecError(problems)

    dtype = next(value.dtype for key, value in state.items() if key.endswith(".wl"))
    model = build(_dense(values), device="cpu", dtype=dtype)
    state = _renamed(state, model)
    layers = {key.removesuffix(".wl"): int(value.shape[0]) for key, value in state.items() if key.endswith(".wl")}
    present = {layer.name for layer in find_linears(model)}
    strangers = [
        Problem(name, f"must be a linear layer of {type(model).__name__}", "a layer of the checkpoint")
        for name in layers
        if name not in present
    ]
    if strangers:
        raise SpecError(strangers)
    _, report = replace_linear(
        model,
        filter_fn=lambda _module, name: name in layers,
        n_blocks=lambda name, _module: layers[name],
        weights="fresh",
        undoable=False,
    )
    load_original(model, state)
    keep_settings(model, report)
    model.train(False)
    return model


def _config_values(
    checkpoint: str | Path | Mapping[str, Tensor], config: str | dict[str, Any] | Path | PreTrainedConfig | None
) -> str | dict[str, Any] | PreTrainedConfig:
    if config is None:
        folder = None if isinstance(checkpoint, Mapping) else Path(checkpoint)
        if folder is None or not folder.is_dir():
            rule = "must be given where the checkpoint is no folder with a config.json"
            raise SpecError(
                [Problem("config", rule, None, "name a preset, as 'opt-125m', or the original config.json")]
            )
        config = folder / "config.json"
    if isinstance(config, Path):
        file = config / "config.json" if config.is_dir() else config
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SpecError(
                [Problem("config", "must be a config.json that can be read", str(file), str(error))]
            ) from error
        return values if isinstance(values, dict) else {}
    return config


def _dense(values: str | dict[str, Any] | PreTrainedConfig) -> PreTrainedConfig:
    """The config of the dense model that the original's is a variation of."""
    if not isinstance(values, dict):
        return read_config(values)
    given = str(values.get("model_type"))
    kept = {key: value for key, value in values.items() if key not in (*ADDED_KEYS, "architectures")}
    return read_config({**kept, "model_type": MODEL_TYPES.get(given, given)})


def _tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a file, of an index of several, or of the first known file of a folder; code in a file is never run."""
    if path.is_dir():
        found = next((path / name for name in FILES if (path / name).is_file()), None)
        if found is None:
            raise SpecError([Problem("checkpoint", f"must hold one of {', '.join(FILES)}", str(path))])
        path = found
    try:
        if path.name.endswith(".index.json"):
            parts = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
            return {
                key: value
                for name in dict.fromkeys(parts)
                for key, value in _tensors(path.parent / Path(name).name).items()
            }
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except SpecError:
        raise
    except Exception as error:  # readers of damaged files raise whatever they please
        rule = "must be a readable file of weights: .bin, .pt or .safetensors"
        raise SpecError(
            [Problem("checkpoint", rule, str(path), f"{type(error).__name__}: {str(error)[:300]}")]
        ) from error
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise SpecError([Problem("checkpoint", "must be a state dict: names and tensors", str(path))])
    return dict(loaded)


def _without_wrapper(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    wrapped = all(key.startswith("module.") for key in state)
    return {key.removeprefix("module.") if wrapped else key: value for key, value in state.items()}


def _renamed(state: Mapping[str, Tensor], model: PreTrainedModel) -> dict[str, Tensor]:
    """The state dict under the names of the model, with what is computed or tied today."""
    prefix = f"{model.base_model_prefix}."
    tops = {name.split(".")[0] for name in model.state_dict()}
    renamed = {}
    for key, value in state.items():
        if COMPUTED.search(key):
            continue
        name = "lm_head.weight" if key == "embed_out.weight" and "lm_head" in tops else key
        renamed[name if name.split(".")[0] in tops else prefix + name] = value
    if model.config.tie_word_embeddings:
        _tie(renamed, model)
    return renamed


def _tie(state: dict[str, Tensor], model: PreTrainedModel) -> None:
    """Give the head the embedding's weight; one that is there must be it."""
    embedding = model.get_input_embeddings()
    source = next(f"{name}.weight" for name, module in model.named_modules() if module is embedding)
    if source not in state:
        return
    if "lm_head.weight" in state and not torch.equal(state["lm_head.weight"], state[source]):
        rule = f"must be {source}, to which this model ties it"
        raise SpecError([Problem("lm_head.weight", rule, "another tensor")])
    state["lm_head.weight"] = state[source]
