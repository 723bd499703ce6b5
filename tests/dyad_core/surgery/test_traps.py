"""The traps of model surgery that others fell into, one test each; the issue in which somebody met it stands beside it.

They are told in short here, whole and with an ordinary user's model; the other files of this folder go into each.
"""

from __future__ import annotations

import inspect
import re
from typing import get_type_hints

import pytest
import torch
from small_models import small_model, some_tokens
from torch import nn
from transformers.models.opt import modeling_opt

from dyad_core import DyadLinear, SpecError, replace_linear
from dyad_core.surgery import ReplacementReport, filters, find_linears


def everything(module: nn.Module, name: str) -> bool:
    return True


def test_every_setting_is_named_and_the_filter_sees_module_and_full_name() -> None:
    """pytorch/ao ``swap_linear_layers``: the signature of ours."""
    parameters = list(inspect.signature(replace_linear).parameters.values())
    assert [p.kind for p in parameters[1:]] == [inspect.Parameter.KEYWORD_ONLY] * (len(parameters) - 1)
    model = small_model("opt")
    seen = []
    with pytest.raises(SpecError):
        replace_linear(model, filter_fn=lambda module, name: seen.append((module, name)))
    assert all(model.get_submodule(name) is module for module, name in seen)
    assert len(seen) == len(find_linears(model)) == 13


def test_a_root_linear_is_replaced() -> None:
    """pytorch/ao#2241, meta-pytorch/float8_experimental#206: a walk over children never sees the root."""
    linear = nn.Linear(8, 8)
    model, report = replace_linear(linear, filter_fn=everything)
    assert isinstance(model, DyadLinear)
    assert [layer.name for layer in report.replaced] == [""]
    with pytest.raises(SpecError, match=r"^in_features: must be divisible by n_blocks=3"):
        replace_linear(linear, filter_fn=everything, n_blocks=3)


def test_all_is_checked_before_anything_changes() -> None:
    """peft ``inject_adapter``: a problem in the last layer must not leave the first ones replaced."""
    model = small_model("opt")
    model.model.decoder.layers[1].fc2.register_forward_hook(lambda *a: None)
    before = list(model.modules())
    with pytest.raises(SpecError, match=r"model\.decoder\.layers\.1\.fc2: has hooks"):
        replace_linear(model, filter_fn=filters.opt_feed_forward)
    assert list(model.modules()) == before


def test_the_report_accounts_for_every_linear_layer() -> None:
    """peft ``targeted_module_names``; zero matches are an error, a pattern without effect is a warning."""
    model = small_model("opt")
    names = {layer.name for layer in find_linears(model)}
    _, report = replace_linear(model, filter_fn=filters.named("*.layers.0.fc?", "*.fc3"))
    assert {layer.name for layer in report.replaced} | {layer.name for layer in report.skipped} == names
    assert len(report.replaced) + len(report.skipped) == len(names)
    assert all(layer.reason for layer in report.skipped)
    assert report.warnings == ("the pattern '*.fc3' fits no linear layer of this model",)
    with pytest.raises(SpecError, match="must pick at least one"):
        replace_linear(model, filter_fn=filters.named("*.fc3"))


def test_layers_of_equal_last_names_are_told_apart() -> None:
    """huggingface/peft#2267: by the last part of the name ``c_proj`` of the attention is hit as well."""
    model = small_model("gpt2")
    _, report = replace_linear(model, filter_fn=filters.named("transformer.h.0.mlp.c_proj"))
    assert [layer.name for layer in report.replaced] == ["transformer.h.0.mlp.c_proj"]
    assert type(model.transformer.h[0].attn.c_proj).__name__ == "Conv1D"
    assert type(model.transformer.h[1].mlp.c_proj).__name__ == "Conv1D"


def test_tied_and_shared_layers_are_found_in_every_place_and_refused() -> None:
    """peft ``_check_tied_modules``; a walk that lists a shared module once leaves ``b`` the old layer."""
    linear = nn.Linear(8, 8)
    model = nn.ModuleDict({"a": linear, "b": linear})
    with pytest.raises(SpecError) as error:
        replace_linear(model, filter_fn=everything)
    assert [problem.field for problem in error.value.problems] == ["a", "b"]
    with pytest.raises(SpecError, match="lm_head: shares its module or weight"):
        replace_linear(small_model("opt"), filter_fn=filters.named("lm_head"))


def test_building_passes_no_full_dense_layer() -> None:
    """A new layer is made on ``meta`` first: no random numbers are drawn for weights that are projected."""
    model = small_model("llama")
    before = torch.get_rng_state()
    replace_linear(model, filter_fn=filters.llama_feed_forward)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("width", [64, 65])
def test_a_threshold_is_tested_on_the_filtered_result(width: int) -> None:
    """huggingface/accelerate#4147: a filter that never saw the model skipped nothing. torchao ``test_auto_filter``."""
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 65, bias=False))
    if width > 64:
        with pytest.raises(SpecError, match="must pick at least one"):
            replace_linear(model, filter_fn=filters.at_least(width))
        return
    _, report = replace_linear(model, filter_fn=filters.at_least(width), n_blocks=1)
    assert [layer.name for layer in report.replaced] == ["0", "1"]
    assert [type(layer) for layer in model] == [DyadLinear, DyadLinear]


def test_first_and_last_layers_can_be_left_out() -> None:
    """huggingface/accelerate#4147 again: what it meant to do."""
    model = small_model("llama", num_hidden_layers=4)
    _, report = replace_linear(model, filter_fn=filters.named("model.layers.[12].mlp.*"))
    assert {name.split(".")[2] for name in (layer.name for layer in report.replaced)} == {"1", "2"}
    kinds = [type(layer.mlp.up_proj) for layer in model.model.layers]
    assert kinds == [nn.Linear, DyadLinear, DyadLinear, nn.Linear]


def test_instances_are_changed_and_no_class() -> None:
    """Liger-Kernel#242, #772, #199, #279, #392: patched classes leak into other models, and miss those that are there."""
    classes = (nn.Linear, nn.Module, modeling_opt.OPTDecoderLayer, modeling_opt.OPTForCausalLM)
    before = [dict(vars(cls)) for cls in classes]
    there = small_model("opt")
    model = small_model("opt")
    tokens = some_tokens()
    for feed_forward in (False, True):
        _, report = replace_linear(model, filter_fn=filters.opt_feed_forward, feed_forward=feed_forward)
        for other in (there, small_model("opt")):
            assert not any(isinstance(module, DyadLinear) for module in other.modules())
        assert "DyadLinear(in_features=32" in repr(model)
        assert type(model.model.decoder.layers[0]) is modeling_opt.OPTDecoderLayer
        assert torch.equal(there(tokens).logits, small_model("opt")(tokens).logits)
        report.undo(model)
    assert [dict(vars(cls)) for cls in classes] == before
    assert torch.equal(model(tokens).logits, there(tokens).logits)


def test_annotation_and_docstring_say_what_comes_back() -> None:
    """torchao ``_replace_with_custom_fn_if_matches_filter`` says None and returns the model."""
    returned = get_type_hints(replace_linear)["return"]
    assert returned == tuple[nn.Module, ReplacementReport]
    result = replace_linear(nn.Sequential(nn.Linear(8, 8)), filter_fn=everything)
    assert [isinstance(value, cls) for value, cls in zip(result, returned.__args__, strict=True)] == [True, True]
    documented = re.findall(r"^    (\w+): ", inspect.getdoc(replace_linear) or "", re.MULTILINE)
    assert set(inspect.signature(replace_linear).parameters) <= set(documented)
