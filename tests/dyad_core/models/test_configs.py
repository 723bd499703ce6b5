"""Reading configs: names, objects, files and hubs, and everything that a stranger's must not do."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, OPTConfig

from dyad_core.errors import SpecError
from dyad_core.models import PRESETS, build, configs, read_config


def problems(config: Any, **options: Any) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        read_config(config, **options)
    return {problem.field: str(problem) for problem in caught.value.problems}


def test_a_preset_is_read_by_name() -> None:
    config = read_config("opt-350m")

    assert isinstance(config, OPTConfig)
    assert (config.hidden_size, config.word_embed_proj_dim, config.do_layer_norm_before) == (1024, 512, False)


def test_the_object_of_a_config_json_stays_as_it_was() -> None:
    given = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_attention_heads": 4,
        "rope_theta": 5000,
        "torch_dtype": "float16",
    }
    kept = json.loads(json.dumps(given))

    config = read_config(given)

    assert isinstance(config, LlamaConfig)
    assert (config.hidden_size, config.rope_parameters["rope_theta"]) == (64, 5000)
    assert config.dtype is None, "the dtype is the caller's choice"
    assert given == kept


def test_a_config_of_transformers_is_copied() -> None:
    mine = OPTConfig(hidden_size=64)

    config = read_config(mine)
    config.hidden_size = 1

    assert mine.hidden_size == 64


@pytest.mark.parametrize("kind", ["file", "folder", "text"])
def test_a_file_or_its_folder_is_read(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(PRESETS["gpt2"].config), encoding="utf-8")
    given = {"file": file, "folder": tmp_path, "text": str(file)}[kind]

    assert read_config(given, outside=True).n_embd == 768


def test_a_string_of_a_stranger_reads_no_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(PRESETS["gpt2"].config), encoding="utf-8")

    said = problems(str(file))

    assert "must be the name of a preset" in said["config"]


def test_a_near_name_is_suggested() -> None:
    assert "did you mean opt-125m?" in problems("opt-125")["config"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "must be a file of JSON"), ("[1]", "found a list"), ("[" * 100_000, "must be a file of JSON")],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text, encoding="utf-8")

    assert words in problems(file)["config"]


def test_a_missing_or_enormous_file_is_refused(tmp_path: Path) -> None:
    assert "can be read" in problems(tmp_path / "none")["config"]
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (5 * 2**20))
    assert "at most 4,194,304 bytes" in problems(large)["config"]


def test_a_hub_that_is_not_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    said = problems("somebody/a-model", outside=True)["config"]

    assert "the id of a model on a hub that answers" in said
    assert "tried the hub" in said
    assert "give the path of a config.json" in said


def test_a_hub_that_nobody_serves_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # transformers itself would retry for half a minute.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(configs, "hf_hub_url", lambda *_: "http://127.0.0.1:9/config.json")
    asked = []
    monkeypatch.setattr(configs, "cached_file", lambda *names, **options: asked.append(options) or missing())

    assert "Connection refused" in problems("somebody/a-model", outside=True)["config"]
    assert asked == [{"local_files_only": True}]


def missing() -> None:
    raise OSError("not in the cache")


def test_a_model_of_a_hub_is_checked_like_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    monkeypatch.setattr(configs, "cached_file", lambda *_names, **_options: str(file))

    file.write_text(json.dumps({"model_type": "opt", "hidden_size": 48}), encoding="utf-8")
    assert read_config("somebody/a-model", outside=True).hidden_size == 48
    file.write_text(json.dumps({"model_type": "opt", "auto_map": {"AutoConfig": "code.Config"}}), encoding="utf-8")
    assert "config.auto_map" in problems("somebody/a-model", outside=True)


def test_an_unknown_architecture_names_the_known_ones() -> None:
    said = problems({"model_type": "lama"})["config.model_type"]

    assert "near to it:" in said
    assert "llama" in said
    assert "gpt_neox" in said


@pytest.mark.parametrize("key", ["auto_map", "backbone", "fusion_config", "kernel_config", "use_timm_backbone"])
def test_code_and_weights_to_fetch_are_refused_at_any_depth(key: str) -> None:
    said = problems(
        {"model_type": "opt", key: {"AutoConfig": "somebody/code--module.Class"}, "text_config": {key: "x"}}
    )

    assert "names code or weights to fetch" in said[f"config.{key}"]
    assert f"config.text_config.{key}" in said


def test_how_to_run_a_model_is_not_taken_from_its_config() -> None:
    # A name with a slash would be fetched from the hub and run as a kernel.
    config = read_config({"model_type": "opt", "attn_implementation": "somebody/kernel", "_name_or_path": "elsewhere"})

    assert config._attn_implementation is None
    assert config.name_or_path == ""


def test_quantised_models_are_refused() -> None:
    gptq = problems({"model_type": "opt", "quantization_config": {"quant_method": "gptq", "bits": 4}})
    dyad = problems({"model_type": "opt", "quantization_config": {"quant_method": "dyad"}})

    assert "is of a quantised model" in gptq["config.quantization_config"]
    assert "has DYAD layers already" in dyad["config.quantization_config"]


def test_all_absurd_sizes_are_named_at_once_and_quickly() -> None:
    start = time.monotonic()
    said = problems(
        {
            "model_type": "opt",
            "num_hidden_layers": 1025,
            "vocab_size": 2**24 + 1,
            "ffn_dim": 2**20 + 1,
            "hidden_size": 10**5000,
            "max_position_embeddings": -(2**25),
            "extra": {"num_experts": 50_000},
            "layer_types": ["full_attention"] * 1025,
        }
    )

    assert set(said) == {
        "config.num_hidden_layers", "config.vocab_size", "config.ffn_dim", "config.hidden_size",
        "config.max_position_embeddings", "config.extra.num_experts", "config.layer_types",
    }  # fmt: skip
    assert "at most 1,024" in said["config.num_hidden_layers"]
    assert time.monotonic() - start < 60, "nothing was built"


def test_the_largest_allowed_sizes_are_accepted() -> None:
    config = read_config({"model_type": "opt", "num_hidden_layers": 1024, "ffn_dim": 2**20, "vocab_size": 2**24})

    assert (config.num_hidden_layers, config.ffn_dim, config.vocab_size) == (1024, 2**20, 2**24)


def test_layers_times_experts_are_bounded() -> None:
    said = problems({"model_type": "mixtral", "num_hidden_layers": 1024, "num_local_experts": 2048})

    assert "layers times experts must be at most 1,048,576" in said["config"]


@pytest.mark.parametrize(
    "model_type", ["gemma4_text", "qwen2_moe", "nemotron_h", "deepseek_v3", "modernbert", "falcon"]
)
def test_what_transformers_writes_for_its_own_models_is_read_again(model_type: str) -> None:
    config = read_config({"model_type": model_type})

    assert read_config(json.loads(json.dumps(config.to_dict()))).to_dict() == config.to_dict()


def test_too_many_entries_or_too_deep_ones_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"a": deep}
    assert "nested 8 deep at most" in next(iter(problems({"model_type": "opt", "deep": deep}).values()))
    assert "at most 65536 entries" in problems({"model_type": "opt", "many": [0] * 100_000})["config"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"hidden_size": "wide"}, "config.hidden_size"),
        ({"hidden_size": True}, "config.hidden_size"),
        ({"hidden_size": 65, "num_attention_heads": 4}, "config"),
        ({"get_text_config": "x"}, "config.get_text_config"),
        ({"__class__": "x"}, "config.__class__"),
    ],
)
def test_what_transformers_refuses_is_a_problem(values: dict[str, Any], field: str) -> None:
    assert field in problems({"model_type": "llama", **values})


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_size": 0},
        {"hidden_size": -8},
        {"num_attention_heads": 0},
        {"activation_function": "none such"},
        {"vocab_size": 0},
    ],
)
def test_what_cannot_be_built_is_a_problem_of_building(values: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="must be buildable by transformers"):
        build({"model_type": "opt", **values})


def test_other_things_than_configs_are_refused() -> None:
    assert "list" in problems([1])["config"]
