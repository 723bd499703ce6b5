"""Models by name: the values of their published ``config.json`` files, so that nothing needs a hub.

Plain data; transformers is needed only to build one. ``parameters`` is what the published checkpoint holds, tied weights once.

Run ``python -c "from dyad_core.models import presets; print(presets.names())"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["PRESETS", "Preset", "names"]


@dataclass(frozen=True)
class Preset:
    """One published model.

    Attributes:
        name: what requests call it.
        config: object of a ``config.json`` with its ``model_type``; to be read, not changed.
        source: where the values were published.
        parameters: of the whole model, embeddings and head included, tied weights once.
    """

    name: str
    config: dict[str, Any]
    source: str
    parameters: int

    @property
    def model_type(self) -> str:
        """Architecture, as transformers names it."""
        return str(self.config["model_type"])


def names() -> tuple[str, ...]:
    """Names of all presets."""
    return tuple(PRESETS)


def _opt(
    hidden_size: int, layers: int, heads: int, *, norm_first: bool = True, embedding: int | None = None
) -> dict[str, Any]:
    return {
        "model_type": "opt",
        "architectures": ["OPTForCausalLM"],
        "activation_function": "relu",
        "attention_dropout": 0.0,
        "bos_token_id": 2,
        "do_layer_norm_before": norm_first,
        "dropout": 0.1,
        "eos_token_id": 2,
        "ffn_dim": 4 * hidden_size,
        "hidden_size": hidden_size,
        "init_std": 0.02,
        "layerdrop": 0.0,
        "max_position_embeddings": 2048,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "pad_token_id": 1,
        "use_cache": True,
        "vocab_size": 50272,
        "word_embed_proj_dim": embedding or hidden_size,
    }


def _pythia(hidden_size: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "gpt_neox",
        "architectures": ["GPTNeoXForCausalLM"],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "gelu",
        "hidden_size": hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": 4 * hidden_size,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 2048,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": False,
        "use_cache": True,
        "use_parallel_residual": True,
        "vocab_size": 50304,
    }


_GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "attn_pdrop": 0.1,
    "bos_token_id": 50256,
    "embd_pdrop": 0.1,
    "eos_token_id": 50256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "resid_pdrop": 0.1,
    "vocab_size": 50257,
}

_SMOLLM2: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_act": "silu",
    "hidden_size": 576,
    "initializer_range": 0.041666666666666664,
    "intermediate_size": 1536,
    "max_position_embeddings": 8192,
    "mlp_bias": False,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "rms_norm_eps": 1e-05,
    "rope_theta": 100000,
    "tie_word_embeddings": True,
    "use_cache": True,
    "vocab_size": 49152,
}

_OPT_SOURCE = "config.json of facebook/{} on the Hugging Face hub; Zhang et al. 2022, arXiv 2205.01068"
_PYTHIA_SOURCE = "config.json of EleutherAI/{} on the Hugging Face hub; Biderman et al. 2023, arXiv 2304.01373"
_SMALL_LLAMA_SOURCE = (
    "config.json of HuggingFaceTB/SmolLM2-135M on the Hugging Face hub, a Llama of 135 million parameters with grouped "
    "keys and values; Allal et al. 2025, arXiv 2502.02737"
)
_GPT2_SOURCE = "config.json of openai-community/gpt2 on the Hugging Face hub; Radford et al. 2019"

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset("opt-125m", _opt(768, 12, 12), _OPT_SOURCE.format("opt-125m"), 125_239_296),
            Preset(
                "opt-350m",
                _opt(1024, 24, 16, norm_first=False, embedding=512),
                _OPT_SOURCE.format("opt-350m"),
                331_196_416,
            ),
            Preset("opt-1.3b", _opt(2048, 24, 32), _OPT_SOURCE.format("opt-1.3b"), 1_315_758_080),
            Preset("pythia-160m", _pythia(768, 12, 12), _PYTHIA_SOURCE.format("pythia-160m"), 162_322_944),
            Preset("pythia-410m", _pythia(1024, 24, 16), _PYTHIA_SOURCE.format("pythia-410m"), 405_334_016),
            Preset("pythia-1.4b", _pythia(2048, 24, 16), _PYTHIA_SOURCE.format("pythia-1.4b"), 1_414_647_808),
            Preset("gpt2", _GPT2, _GPT2_SOURCE, 124_439_808),
            Preset("llama-small", _SMOLLM2, _SMALL_LLAMA_SOURCE, 134_515_008),
        )
    }
)
