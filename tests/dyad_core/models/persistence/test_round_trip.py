"""``save_pretrained`` and ``from_pretrained`` of swapped models: exact, ordinary afterwards, and loud where something is wrong."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import small_model, some_tokens
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

from dyad_core import DyadLinear, replace_linear
from dyad_core.errors import SpecError
from dyad_core.models import swap
from dyad_core.models.persistence.attaching import keep_settings
from dyad_core.surgery import filters

MODELS = [
    ("opt", "layers", {}),
    ("opt", "feed_forward", {}),
    ("opt", "layers", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    ("gpt_neox", "layers", {}),
    ("gpt_neox", "feed_forward", {}),
    ("gpt2", "layers", {}),
    ("llama", "layers", {"num_key_value_heads": 2}),
    ("bert", "layers", {}),
    ("mistral", "layers", {}),
    ("qwen3", "layers", {}),
    ("gpt_neo", "layers", {}),
]


def loaded(folder: Path, **options: Any) -> Any:
    masked = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"] == "bert"
    return (AutoModelForMaskedLM if masked else AutoModelForCausalLM).from_pretrained(folder, **options)


@pytest.mark.parametrize(("model_type", "mode", "changes"), MODELS)
def test_a_saved_model_loads_to_the_bit(model_type: str, mode: str, changes: dict[str, Any], tmp_path: Path) -> None:
    model, _ = swap(small_model(model_type, **changes), mode=mode)
    model.save_pretrained(tmp_path)

    again = loaded(tmp_path)

    assert torch.equal(again(some_tokens()).logits, model(some_tokens()).logits)
    assert {name: value.shape for name, value in again.state_dict().items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert again.config.model_type == model_type
    assert again.config.quantization_config == model.config.quantization_config
    assert type(again) is type(model)


def test_a_loaded_model_saves_and_loads_again(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"), n_blocks=8, variant="dt", grain=2)
    model.save_pretrained(tmp_path / "one")
    loaded(tmp_path / "one").save_pretrained(tmp_path / "two")

    again = loaded(tmp_path / "two")

    assert torch.equal(again(some_tokens()).logits, model(some_tokens()).logits)
    first, second = ((tmp_path / name / "config.json").read_text(encoding="utf-8") for name in ("one", "two"))
    assert json.loads(first) == json.loads(second)


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
def test_every_variant_comes_back_as_it_was(variant: str, tmp_path: Path) -> None:
    # it, ot and dt have weights of the same shapes: only the settings tell them apart.
    model, _ = swap(small_model("llama"), variant=variant)
    model.save_pretrained(tmp_path)

    again = loaded(tmp_path)

    assert torch.equal(again(some_tokens()).logits, model(some_tokens()).logits)
    assert {m.variant for m in again.modules() if isinstance(m, DyadLinear)} == {variant}


def test_layers_that_differ_come_back_each_as_it_was(tmp_path: Path) -> None:
    def each(name: str, module: nn.Module) -> dict[str, Any] | None:
        if "layers.0" in name:
            return {"n_blocks": 8, "variant": "dt", "grain": 2} if name.endswith("fc1") else None
        return {"n_blocks": 2}

    model, _ = swap(small_model("opt"), settings=each, init="variance_preserving", implementation="reference")
    model.save_pretrained(tmp_path)

    again = loaded(tmp_path)

    assert torch.equal(again(some_tokens()).logits, model(some_tokens()).logits)
    found = {
        name: (m.n_blocks, m.variant, m.grain, m.init, m.implementation)
        for name, m in again.named_modules()
        if isinstance(m, DyadLinear)
    }
    rest = ("variance_preserving", "reference")
    assert found == {
        "model.decoder.layers.0.fc1": (8, "dt", 2, *rest),
        "model.decoder.layers.1.fc1": (2, "it", 1, *rest),
        "model.decoder.layers.1.fc2": (2, "it", 1, *rest),
    }


def test_a_feed_forward_with_a_variant_for_each_layer_comes_back(tmp_path: Path) -> None:
    model, _ = swap(small_model("gpt_neox"), mode="feed_forward", variant=("ot", "it"))
    model.save_pretrained(tmp_path)

    again = loaded(tmp_path)

    assert torch.equal(again(some_tokens()).logits, model(some_tokens()).logits)
    assert [again.gpt_neox.layers[0].mlp.fc1.variant, again.gpt_neox.layers[0].mlp.fc2.variant] == ["ot", "it"]


def test_two_swaps_of_one_model_are_both_kept(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"), mode="feed_forward", names=["*.layers.0.fc?"])
    model, _ = swap(model, n_blocks=8, names=["*.layers.1.fc1", "*.q_proj"])
    model.save_pretrained(tmp_path)

    assert torch.equal(loaded(tmp_path)(some_tokens()).logits, model(some_tokens()).logits)


def test_sharded_files_load(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path, max_shard_size="10KB")

    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    assert torch.equal(loaded(tmp_path)(some_tokens()).logits, model(some_tokens()).logits)


def test_another_dtype_may_be_asked_for(tmp_path: Path) -> None:
    model, _ = swap(small_model("llama"))
    model.save_pretrained(tmp_path)

    again = loaded(tmp_path, dtype=torch.bfloat16)

    assert {parameter.dtype for parameter in again.parameters()} == {torch.bfloat16}
    wanted = dict(model.bfloat16().named_parameters())
    assert all(torch.equal(parameter, wanted[name]) for name, parameter in again.named_parameters())


def test_a_device_map_works(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path)

    assert torch.equal(loaded(tmp_path, device_map="cpu")(some_tokens()).logits, model(some_tokens()).logits)


def test_a_loaded_model_is_an_ordinary_one(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path)

    again = loaded(tmp_path)

    assert not getattr(again, "is_quantized", False)
    assert getattr(again, "hf_quantizer", None) is None
    assert torch.equal(again.double().float()(some_tokens()).logits, model(some_tokens()).logits)
    assert all(parameter.requires_grad for parameter in again.parameters())
    assert torch.equal(copy.deepcopy(again)(some_tokens()).logits, model(some_tokens()).logits)


def test_the_base_model_loads_from_the_whole_and_the_whole_from_the_base(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path / "whole")
    base = AutoModel.from_pretrained(tmp_path / "whole")
    base.save_pretrained(tmp_path / "base")

    whole = loaded(tmp_path / "base")

    assert base.config.quantization_config.settings.layers[0] == "decoder.layers.0.fc1"
    assert torch.equal(whole(some_tokens()).logits, model(some_tokens()).logits), "OPT's head is its embedding"


def test_a_model_swapped_by_replace_linear_can_be_kept_too(tmp_path: Path) -> None:
    model, report = replace_linear(small_model("opt"), filter_fn=filters.opt_feed_forward)
    keep_settings(model, report)
    model.save_pretrained(tmp_path)

    assert torch.equal(loaded(tmp_path)(some_tokens()).logits, model(some_tokens()).logits)


def test_the_config_alone_loads_and_keeps_the_settings(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path)

    config = AutoConfig.from_pretrained(tmp_path)

    assert config.quantization_config["quant_method"] == "dyad"
    again = AutoModelForCausalLM.from_pretrained(tmp_path, config=model.config)
    assert torch.equal(again(some_tokens()).logits, model(some_tokens()).logits)


def test_a_plain_state_dict_of_the_same_structure_loads(tmp_path: Path) -> None:
    plain, _ = replace_linear(small_model("opt", seed=1), filter_fn=filters.opt_feed_forward, weights="fresh")
    model, _ = swap(small_model("opt"))

    model.load_state_dict(plain.state_dict())

    assert torch.equal(model(some_tokens()).logits, plain(some_tokens()).logits)


def test_a_missing_weight_is_an_error_and_not_noise(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.decoder.layers.1.fc1.weight_blocktrans"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})

    with pytest.raises(
        SpecError, match=r"model\.decoder\.layers\.1\.fc1\.weight_blocktrans: must be in the checkpoint"
    ):
        loaded(tmp_path)


def changed(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    values["quantization_config"]["groups"][0].update(changes)
    file.write_text(json.dumps(values), encoding="utf-8")


def test_settings_of_other_shapes_than_the_weights_are_refused(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path)
    changed(tmp_path, n_blocks=8)

    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        loaded(tmp_path)


def test_settings_for_layers_that_are_not_there_are_refused(tmp_path: Path) -> None:
    model, _ = swap(small_model("opt"))
    model.save_pretrained(tmp_path)
    changed(tmp_path, layers=["model.decoder.layers.7.fc1"])

    with pytest.raises(SpecError, match="must be a linear layer of OPTForCausalLM"):
        loaded(tmp_path)


def test_a_dense_checkpoint_is_not_converted_without_a_word(tmp_path: Path) -> None:
    model = small_model("opt")
    model.save_pretrained(tmp_path)
    settings = swap(model)[0].config.quantization_config

    with pytest.raises(SpecError, match="this checkpoint is dense"):
        loaded(tmp_path, quantization_config=settings)


ELSEWHERE = """
import sys
from transformers import AutoModelForCausalLM
if sys.argv[1] == "after":
    import dyad_core.models
for folder in sys.argv[2:]:
    try:
        AutoModelForCausalLM.from_pretrained(folder)
    except RuntimeError as error:
        print(type(error).__name__)
    else:
        print("loaded")
"""


def test_loading_without_our_import_fails_loudly_and_with_it_at_any_time_not(tmp_path: Path) -> None:
    folders = []
    for model_type, mode in (
        ("opt", "layers"),
        ("opt", "feed_forward"),
        ("gpt_neox", "feed_forward"),
        ("gpt2", "layers"),
    ):
        model, _ = swap(small_model(model_type), mode=mode)
        folders.append(str(tmp_path / f"{model_type}-{mode}"))
        model.save_pretrained(folders[-1])
    command = [sys.executable, "-c", ELSEWHERE]

    without, after = (
        subprocess.run([*command, when, *folders], capture_output=True, text=True, check=False)
        for when in ("never", "after")
    )

    assert without.stdout.split() == ["RuntimeError"] * 4, without.stderr
    assert "Unknown quantization type, got dyad" in without.stderr
    assert "MISMATCH" in without.stderr
    assert after.stdout.split() == ["loaded"] * 4, after.stderr
