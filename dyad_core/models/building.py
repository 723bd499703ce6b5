"""From a config to a model with fresh weights: on ``meta`` in no time at any size, elsewhere if the memory suffices.

Run ``python -c "from dyad_core.models import build; print(build('opt-125m').num_parameters())"``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dyad_core.bench.footprint import human
from dyad_core.bench.machine import host_memory
from dyad_core.errors import Problem, SpecError
from dyad_core.models.configs import BUILD_ERRORS, read_config
from dyad_core.models.hugging_face import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedConfig,
    PreTrainedModel,
    no_init_weights,
)

__all__ = ["available_bytes", "build", "is_masked", "model_bytes", "require_memory"]


def build(
    config: str | dict[str, Any] | Path | PreTrainedConfig,
    *,
    device: torch.device | str = "meta",
    dtype: torch.dtype | str = torch.float32,
    seed: int = 0,
    attn_implementation: str | None = None,
) -> PreTrainedModel:
    """Return a language model with fresh weights, in training mode.

    Causal language models, and those that fill in masked words (BERT) where they are no decoders. The same config, seed, device
    and dtype give the same weights; the random state of the caller stays as it is.

    Args:
        config: as :func:`dyad_core.models.read_config` takes it. The model gets a copy.
        device: where the weights live. ``"meta"`` allocates and draws nothing.
        dtype: of the weights: ``torch.bfloat16`` or ``"bfloat16"``.
        seed: of the weights.
        attn_implementation: ``"eager"``, ``"sdpa"`` …; None is transformers' choice.

    Raises:
        SpecError: as ``read_config``; or no language model of this architecture, values that cannot be built, or not enough
            memory for the weights.
    """
    checked = read_config(config)
    place, number_type = torch.device(device), _dtype(dtype)
    model_class = _model_class(checked)
    if place.type != "meta":
        bare = _built(model_class, checked, torch.device("meta"), number_type, attn_implementation)
        require_memory(model_bytes(bare), place, "the weights of this model")
    with _seeded(seed, place):
        return _built(model_class, checked, place, number_type, attn_implementation)


def is_masked(config: PreTrainedConfig) -> bool:
    """Whether the model fills in masked words, so that it has no cache and generates nothing."""
    if config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or config.is_encoder_decoder:
        return False
    return not getattr(config, "is_decoder", False)


def model_bytes(model: nn.Module) -> int:
    """Bytes of parameters and buffers, those in several places once; a model on ``meta`` counts as if it were real."""
    tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def available_bytes(device: torch.device | str) -> int | None:
    """Free memory of a device now; None where it is not known. Asking a CUDA device initialises it in this process."""
    place = torch.device(device)
    if place.type == "cuda":
        return int(torch.cuda.mem_get_info(place)[0])
    return host_memory().available_bytes if place.type == "cpu" else None


def require_memory(needed: int, device: torch.device | str, what: str = "this") -> None:
    """Refuse what does not fit into the free memory of a device.

    Args:
        needed: bytes.
        device: where.
        what: what needs them, as the subject of the sentence.

    Raises:
        SpecError: with the bytes needed and the bytes there.
    """
    available = available_bytes(device)
    if available is not None and needed > available:
        rule = f"{what} must fit into the memory of {device}, which has {human(available)} available"
        raise SpecError(
            [Problem("config", rule, human(needed), "take a smaller model or dtype; on 'meta' it needs none")]
        )


def _model_class(config: PreTrainedConfig) -> Any:
    if is_masked(config):
        return AutoModelForMaskedLM
    if config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return AutoModelForCausalLM
    rule = "must be a language model: causal, or one that fills in masked words"
    raise SpecError([Problem("config.model_type", rule, config.model_type)])


def _built(
    model_class: Any,
    config: PreTrainedConfig,
    device: torch.device,
    dtype: torch.dtype,
    attn_implementation: str | None,
) -> PreTrainedModel:
    choice = {} if attn_implementation is None else {"attn_implementation": attn_implementation}
    # On meta there is nothing to draw, and walking a thousand layers for it takes seconds.
    drawing = no_init_weights() if device.type == "meta" else contextlib.nullcontext()
    try:
        with torch.device(device), drawing:
            model: PreTrainedModel = model_class.from_config(read_config(config), dtype=dtype, **choice)
        model.tie_weights()
    except SpecError:
        raise
    except BUILD_ERRORS as error:
        text = " ".join(str(error).split())[:500] or type(error).__name__
        raise SpecError(
            [Problem("config", "must be buildable by transformers", f"{type(error).__name__}: {text}")]
        ) from error
    return model


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from ``seed`` inside; the caller's random state is put back."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _dtype(dtype: torch.dtype | str) -> torch.dtype:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        rule = "must be a floating-point type of torch"
        raise SpecError([Problem("dtype", rule, dtype, "float32, bfloat16, float16 or float64")])
    return found
