"""What work a model can be given: sequences that it has positions for, and numbers that an index of 64 bits can count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from dyad_core.errors import Problem
from dyad_core.models.records import LayerRow
from dyad_core.models.spec import EstimateSpec

__all__ = ["swap_problems", "work_problems", "work_warnings"]

MOST_SWAPS = 16_384
"""Layers replaced for one answer, over all candidates; a millisecond each."""

MOST_BYTES = 2**62
WIDEST_ITEM = 8


def work_problems(spec: EstimateSpec, model: Any) -> list[Problem]:
    """What keeps ``model`` from doing the work of ``spec``."""
    problems = []
    positions = _positions(model)
    if positions is not None and _has_learned_positions(model) and spec.sequence > positions:
        rule = f"must be at most {positions}, the positions that this model has learned"
        problems.append(Problem("sequence", rule, spec.sequence))
    if spec.checkpointing and not model.supports_gradient_checkpointing:
        problems.append(Problem("checkpointing", "is not supported by this model in transformers", spec.checkpointing))
    widest = max((max(parameter.shape, default=1) for parameter in model.parameters()), default=1)
    heads = getattr(model.config.get_text_config(), "num_attention_heads", None)
    scores = spec.tokens * spec.sequence * (heads if isinstance(heads, int) else 1)
    if max(spec.tokens * widest, scores) * WIDEST_ITEM > MOST_BYTES:
        rule = "batch and sequence must be such that one activation has less than 2**62 bytes"
        problems.append(Problem("sequence", rule, spec.sequence))
    return problems


def swap_problems(spec: EstimateSpec, layers: Sequence[LayerRow]) -> list[Problem]:
    """What keeps the candidates of ``spec`` from being tried in one go, with these linear layers."""
    picked = sum(row.picked for row in layers)
    candidates = len(spec.n_blocks) * len(spec.variants) * len(spec.modes)
    if picked * candidates <= MOST_SWAPS:
        return []
    rule = f"candidates × layers to replace must be at most {MOST_SWAPS:,}"
    received = f"{candidates} candidates × {picked:,} layers"
    return [Problem("n_blocks", rule, received, f"ask for {max(1, MOST_SWAPS // picked)} candidates at a time")]


def work_warnings(spec: EstimateSpec, model: Any) -> list[str]:
    """What a reader must know about the work of ``spec``."""
    positions = _positions(model)
    if positions is None or spec.sequence <= positions:
        return []
    return [f"a sequence of {spec.sequence:,} tokens is longer than the {positions:,} that this model was made for"]


def _positions(model: Any) -> int | None:
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _has_learned_positions(model: nn.Module) -> bool:
    return any(
        isinstance(module, nn.Embedding) and ("position" in name or name.endswith("wpe"))
        for name, module in model.named_modules()
    )
