"""Small models of real architectures: transformers' own classes with two layers and random weights, built in milliseconds."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

__all__ = ["HIDDEN", "WIDTH", "Block", "is_feed_forward", "small_config", "small_model", "some_tokens"]

WIDTH, HIDDEN, LAYERS, VOCABULARY = 32, 64, 2, 80

_COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
_GPT2 = {
    "vocab_size": VOCABULARY,
    "n_embd": WIDTH,
    "n_inner": HIDDEN,
    "n_layer": LAYERS,
    "n_head": 4,
    "n_positions": 64,
}
_ENDS = {"pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 2}
_OWN: dict[str, dict[str, Any]] = {
    "opt": {"ffn_dim": HIDDEN, "word_embed_proj_dim": WIDTH, "dropout": 0.0},
    "gpt2": {**_GPT2, **_ENDS, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "gpt_bigcode": {**_GPT2, **_ENDS},
    "gpt_neo": {"num_layers": LAYERS, "num_heads": 4, "attention_types": [[["global", "local"], 1]], **_ENDS},
    "electra": {"embedding_size": WIDTH},
    "gemma": {"head_dim": 8},
    "gemma2": {"head_dim": 8},
    "qwen3": {"head_dim": 8},
}
_MASKED = ("bert", "roberta", "electra")
_SEQUENCES = ("t5",)


def small_config(model_type: str, **changes: Any) -> Any:
    """The config of a small model of an architecture, with ``changes``."""
    common = {} if model_type in ("gpt2", "gpt_bigcode") else _COMMON
    return AutoConfig.for_model(model_type, **{**common, **_OWN.get(model_type, {}), **changes})


def small_model(model_type: str, *, seed: int = 0, **changes: Any) -> nn.Module:
    """A small model with its language head, in evaluation mode, the same for the same arguments."""
    config = small_config(model_type, **changes)
    torch.manual_seed(seed)
    auto = AutoModelForMaskedLM if model_type in _MASKED else AutoModelForCausalLM
    if model_type in _SEQUENCES:
        auto = AutoModelForSeq2SeqLM
    return auto.from_config(config).eval()


def some_tokens(batch: int = 2, length: int = 8) -> torch.Tensor:
    """Token numbers, (batch, length), the same each time."""
    return torch.randint(3, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(1))


class Block(nn.Module):
    """A feed-forward and a head of ten outputs, which four blocks do not divide."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(16, 64)
        self.fc2 = nn.Linear(64, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(*, 16) → (*, 10)."""
        return self.head(self.fc2(torch.relu(self.fc1(x))))


def is_feed_forward(module: nn.Module, name: str) -> bool:
    """The filter for the feed-forward of a block."""
    return name.rpartition(".")[2] in ("fc1", "fc2")
