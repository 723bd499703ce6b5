"""Models that are built in no time: configs of each architecture with a few narrow blocks, and requests about them."""

from __future__ import annotations

from typing import Any

from dyad_core.models.spec import ModelSpec

__all__ = ["BERT", "GPT2", "LLAMA", "NEOX", "OPT", "TINY", "tiny"]

OPT: dict[str, Any] = {
    "model_type": "opt", "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "vocab_size": 128, "max_position_embeddings": 64, "word_embed_proj_dim": 32,
}  # fmt: skip
NEOX: dict[str, Any] = {
    "model_type": "gpt_neox", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 2, "vocab_size": 128, "max_position_embeddings": 64,
}  # fmt: skip
GPT2: dict[str, Any] = {
    "model_type": "gpt2", "n_embd": 32, "n_inner": 64, "n_layer": 2, "n_head": 2, "vocab_size": 128, "n_positions": 64,
}  # fmt: skip
LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128, "max_position_embeddings": 64,
}  # fmt: skip
BERT: dict[str, Any] = {
    "model_type": "bert", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "vocab_size": 128, "max_position_embeddings": 64,
}  # fmt: skip

TINY: dict[str, Any] = {
    "config": OPT, "n_blocks": [4], "batch": 2, "sequence": 8, "threads": 1, "max_seconds": 0.3, "target_interval": 0.9,
}  # fmt: skip
"""A measurement that the real engine finishes in seconds, most of them the start of its process."""


def tiny(**changes: Any) -> ModelSpec:
    return ModelSpec.from_dict(TINY | changes)
