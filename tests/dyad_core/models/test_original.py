"""Checkpoints of the original code: made here as it names them, and computed as it computes them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from small_models import small_model, some_tokens
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from dyad_core import DyadLinear
from dyad_core.errors import SpecError
from dyad_core.models import build, load_original_model, swap
from dyad_core.surgery import load_original, to_original

N = 4

# As structbabySparse/sparse_config.json and sparse_config_pythia_160m.json write them, with small sizes.
OPT: dict[str, Any] = {
    "architectures": ["SparseOPTForCausalLM"], "model_type": "sparse_opt", "dyad_dim": N, "lm_dyad_dim": 8, "prefix": "</s>",
    "activation_dropout": 0.0, "activation_function": "relu", "do_layer_norm_before": True, "dropout": 0.1, "ffn_dim": 64,
    "hidden_size": 32, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 1,
    "torch_dtype": "float32", "transformers_version": "4.21.0.dev0", "vocab_size": 80, "word_embed_proj_dim": 32,
}  # fmt: skip
OPT_350M = {**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 16}
PYTHIA: dict[str, Any] = {
    "architectures": ["SparseGPTNeoXForCausalLM"], "model_type": "sparse_gpt_neox", "hidden_act": "gelu", "hidden_size": 32,
    "intermediate_size": 64, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
    "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": False, "torch_dtype": "float32",
    "use_parallel_residual": True, "vocab_size": 80,
}  # fmt: skip
LAYERS = {"sparse_opt": ("fc1", "fc2"), "sparse_gpt_neox": ("dense_h_to_4h", "dense_4h_to_h")}


class OriginalDyad(nn.Module):
    """The original's forward, by its equations: two batched products of feature-major activations."""

    def __init__(self, wl: Tensor, wu: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.wl, self.wu, self.bias = wl, wu, bias

    def forward(self, input: Tensor) -> Tensor:
        x = input.reshape(-1, input.shape[-1]).t()  # (features, T)
        n, _, block_in = self.wl.shape
        straight = self.wl @ x.reshape(n, block_in, -1)
        crossed = self.wu @ x.reshape(block_in, n, -1).transpose(0, 1)
        output = (straight + crossed).reshape(-1, x.shape[-1]) + self.bias
        return output.t().reshape(*input.shape[:-1], -1)


def dense_config(config: dict[str, Any]) -> dict[str, Any]:
    own = {"sparse_opt": "opt", "sparse_gpt_neox": "gpt_neox"}[config["model_type"]]
    return {**{key: value for key, value in config.items() if "dyad" not in key}, "model_type": own}


def original(config: dict[str, Any], n: int = N) -> tuple[dict[str, Tensor], nn.Module]:
    """A checkpoint as the original code writes it, and a model that computes as it does."""
    model = build(dense_config(config), device="cpu", seed=3).eval()
    torch.manual_seed(4)
    state = {}
    for name, module in list(model.named_modules()):
        parent, _, last = name.rpartition(".")
        if last in LAYERS[config["model_type"]]:
            shape = (n, module.out_features // n, module.in_features // n)
            tensors = {"wl": torch.randn(shape), "wu": torch.randn(shape), "bias": torch.randn(module.out_features, 1)}
            setattr(model.get_submodule(parent), last, OriginalDyad(**tensors))
            state.update({f"{name}.{key}": value for key, value in tensors.items()})
    state.update(model.state_dict())
    if config["model_type"] == "sparse_gpt_neox":
        state["embed_out.weight"] = state.pop("lm_head.weight")
        for layer in range(2):
            path = f"gpt_neox.layers.{layer}.attention"
            state[f"{path}.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.bool)
            state[f"{path}.masked_bias"] = torch.tensor(-1e9)
            state[f"{path}.rotary_emb.inv_freq"] = torch.ones(1)
    return state, model


@pytest.mark.parametrize("config", [OPT, OPT_350M, PYTHIA], ids=["opt", "opt-350m", "pythia"])
def test_the_loaded_model_computes_what_the_original_computes(config: dict[str, Any]) -> None:
    state, model = original(config)

    loaded = load_original_model(state, config)

    torch.testing.assert_close(loaded(some_tokens()).logits, model(some_tokens()).logits)
    layers = [name for name, module in loaded.named_modules() if isinstance(module, DyadLinear)]
    assert len(layers) == 4
    for name in layers:
        layer = loaded.get_submodule(name)
        assert torch.equal(layer.weight_blockdiag, state[f"{name}.wl"])
        assert torch.equal(layer.weight_blocktrans, state[f"{name}.wu"])
        assert torch.equal(layer.bias, state[f"{name}.bias"].flatten())


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.safetensors"])
def test_a_folder_of_the_original_is_loaded_and_saved_as_ours(file: str, tmp_path: Path) -> None:
    state, model = original(OPT)
    del state["lm_head.weight"]
    (tmp_path / "config.json").write_text(json.dumps(OPT), encoding="utf-8")
    if file.endswith(".bin"):
        torch.save(state, tmp_path / file)
    else:
        save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / file)

    load_original_model(tmp_path).save_pretrained(tmp_path / "ours")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "ours")

    torch.testing.assert_close(again(some_tokens()).logits, model(some_tokens()).logits)
    assert again.config.model_type == "opt"


def test_a_checkpoint_in_several_files_is_loaded(tmp_path: Path) -> None:
    state, model = original(PYTHIA)
    keys = list(state)
    parts = {"a.bin": keys[:9], "b.bin": keys[9:]}
    for name, some in parts.items():
        torch.save({key: state[key] for key in some}, tmp_path / name)
    weight_map = {key: name for name, some in parts.items() for key in some}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps(PYTHIA), encoding="utf-8")

    torch.testing.assert_close(load_original_model(tmp_path)(some_tokens()).logits, model(some_tokens()).logits)


@pytest.mark.parametrize(
    "rename",
    [
        pytest.param(lambda state: {f"module.{key}": value for key, value in state.items()}, id="of several processes"),
        pytest.param(
            lambda state: {
                key.removeprefix("model."): value for key, value in state.items() if key != "lm_head.weight"
            },
            id="of the model without its head",
        ),
    ],
)
def test_prefixes_are_recognised(rename: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    state, model = original(OPT)

    loaded = load_original_model(rename(state), OPT)

    torch.testing.assert_close(loaded(some_tokens()).logits, model(some_tokens()).logits)


def test_half_precision_stays(tmp_path: Path) -> None:
    state, _ = original(OPT)

    loaded = load_original_model({key: value.half() for key, value in state.items()}, OPT)

    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float16}


def refused(state: Any, config: Any = OPT) -> str:
    with pytest.raises(SpecError) as caught:
        load_original_model(state, config)
    return str(caught.value)


def test_another_n_than_the_configs_is_refused() -> None:
    state, _ = original(OPT, n=8)

    assert "must have the config's dyad_dim=4 blocks; received 8" in refused(state)
    assert load_original_model(state, dense_config(OPT)).config.quantization_config.settings.groups[0].n_blocks == 8


def test_checkpoints_of_another_model_are_refused_with_all_that_does_not_fit() -> None:
    state, _ = original(OPT)

    assert "must have the model's shape" in refused(state, {**OPT, "vocab_size": 81})
    assert "missing in the checkpoint" in refused(state, {**OPT, "num_hidden_layers": 3})
    assert "must be a linear layer of OPTForCausalLM" in refused(state, {**OPT, "num_hidden_layers": 1})
    assert "must be a linear layer of GPTNeoXForCausalLM" in refused(state, PYTHIA)
    assert "must have the structure of the checkpoint" in refused(state, {**OPT, "ffn_dim": 128})


def test_a_head_that_is_not_the_embedding_is_refused() -> None:
    state, _ = original(OPT)
    state["lm_head.weight"] = state["lm_head.weight"] + 1

    assert "to which this model ties it" in refused(state)


def test_half_a_layer_or_none_is_refused() -> None:
    state, _ = original(OPT)
    broken = {key: value for key, value in state.items() if key != "model.decoder.layers.1.fc2.wu"}

    assert "an original layer has both wl and wu" in refused(broken)
    assert "keys '<layer>.wl'" in refused({key: value for key, value in state.items() if ".w" not in key[-3:]})


def test_a_file_without_config_asks_for_one(tmp_path: Path) -> None:
    state, _ = original(OPT)
    torch.save(state, tmp_path / "weights.bin")

    assert "must be given where the checkpoint is no folder" in refused(tmp_path / "weights.bin", None)
    assert load_original_model(tmp_path / "weights.bin", OPT).config.model_type == "opt"


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.bin").write_bytes(b"noise")
    torch.save([1], tmp_path / "list.bin")

    assert "must be a readable file of weights" in refused(tmp_path / "noise.bin")
    assert "must be a readable file of weights" in refused(tmp_path / "none.safetensors")
    assert "must be a state dict" in refused(tmp_path / "list.bin")
    assert "must hold one of model.safetensors" in refused(tmp_path)


def test_what_a_swap_made_goes_to_the_original_layout_and_back_without_the_marker_of_its_files() -> None:
    model, _ = swap(small_model("opt"))
    written = to_original(model)
    other, _ = swap(small_model("opt"))
    load_original(other, written)

    assert all(value.numel() for value in written.values())
    assert torch.equal(model(some_tokens()).logits, other(some_tokens()).logits)
