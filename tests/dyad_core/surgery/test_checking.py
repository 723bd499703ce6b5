"""What hangs on a layer and would be lost refuses the replacement; so does being in two places."""

from __future__ import annotations

import pytest
import torch
from small_models import small_model
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from dyad_core import DyadLinear, SpecError, replace_linear
from dyad_core.surgery import filters


def everything(module: nn.Module, name: str) -> bool:
    return True


def model_with(change) -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    change(model[0])
    return model


def add_accelerate_hook(layer: nn.Module) -> None:
    hooks = pytest.importorskip("accelerate.hooks")
    hooks.add_hook_to_module(layer, hooks.AlignDevicesHook("cpu"))


def set_forward(layer: nn.Module) -> None:
    layer.forward = lambda x: x


LOST = {
    "forward hook": (lambda m: m.register_forward_hook(lambda *a: None), r"hooks \(forward_hooks\)"),
    "forward pre-hook": (lambda m: m.register_forward_pre_hook(lambda *a: None), r"hooks \(forward_pre_hooks\)"),
    "backward hook": (lambda m: m.register_full_backward_hook(lambda *a: None), r"hooks \(backward_hooks\)"),
    "state dict hook": (lambda m: m.register_state_dict_post_hook(lambda *a: None), r"hooks \(state_dict_hooks\)"),
    "tensor hook": (lambda m: m.weight.register_hook(lambda g: g), r"hooks \(hooks of a tensor\)"),
    "accumulate hook": (
        lambda m: m.weight.register_post_accumulate_grad_hook(lambda p: None),
        r"hooks \(hooks of a tensor\)",
    ),
    "accelerate": (add_accelerate_hook, r"a hook of accelerate \(accelerate.hooks.remove_hook_from_submodules"),
    "own forward": (set_forward, "a forward of its own instance"),
    "parametrisation": (
        lambda m: parametrize.register_parametrization(m, "weight", nn.Identity()),
        r"a parametrisation \(torch.nn.utils.parametrize\)",
    ),
    "weight norm": (parametrizations.weight_norm, "a parametrisation"),
    "pruning": (lambda m: prune.l1_unstructured(m, "weight", 0.5), r"hooks .*the part 'weight_mask'"),
    "a buffer": (lambda m: m.register_buffer("scale", torch.ones(1)), "the part 'scale'"),
    "a child": (lambda m: m.add_module("adapter", nn.Linear(8, 8)), "the part 'adapter'"),
    "a parameter": (lambda m: m.register_parameter("gain", nn.Parameter(torch.ones(1))), "the part 'gain'"),
}


@pytest.mark.parametrize("what", LOST)
def test_what_would_be_lost_refuses_the_replacement(what: str) -> None:
    change, message = LOST[what]
    model = model_with(change)
    before = list(model.modules())
    with pytest.raises(SpecError, match=rf"0: has .*{message}.*, which would be lost"):
        replace_linear(model, filter_fn=filters.named("0", "1"))
    assert list(model.modules()) == before
    # Who leaves it out replaces the rest.
    _, report = replace_linear(model, filter_fn=filters.named("1"))
    assert [layer.name for layer in report.replaced] == ["1"]


def test_hooks_of_a_parent_stay_and_are_no_obstacle() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    seen = []
    model.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    replace_linear(model, filter_fn=everything)
    model(torch.zeros(3, 8))
    assert seen == [(3, 8)]


def quantised_weight(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(torch.zeros(8, 8, dtype=torch.int8), requires_grad=False)


def small_float_weight(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(torch.zeros(8, 8, dtype=torch.float8_e4m3fn), requires_grad=False)


def other_shape(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(torch.zeros(4, 8))


def no_parameter(layer: nn.Linear) -> None:
    del layer.weight
    layer.weight = torch.zeros(8, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (quantised_weight, r"0: must have a weight of float64, .* received 'torch.int8'"),
        (small_float_weight, r"0: must have a weight of float64, .* received 'torch.float8_e4m3fn'"),
        (other_shape, r"0: must have a weight of shape \(8, 8\), as its sizes say; received \(4, 8\)"),
        (no_parameter, r"0: must have its weight as a parameter; received 'Tensor'"),
    ],
)
def test_a_weight_that_is_not_as_the_layer_says_is_refused(change, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        replace_linear(model_with(change), filter_fn=everything)


def test_a_head_that_is_tied_to_the_embedding_is_refused_in_a_real_model() -> None:
    model = small_model("opt")
    assert model.lm_head.weight is model.model.decoder.embed_tokens.weight
    with pytest.raises(SpecError, match=r"lm_head: shares its module or weight.*leave it out in filter_fn"):
        replace_linear(model, filter_fn=filters.named("lm_head"))
    with pytest.raises(SpecError, match="lm_head: shares"):
        replace_linear(model, filter_fn=filters.named("lm_head"), allow_shared=True)
    assert model.lm_head.weight is model.model.decoder.embed_tokens.weight


def test_a_tie_on_the_meta_device_is_seen_too() -> None:
    with torch.device("meta"):
        model = small_model("opt")
    with pytest.raises(SpecError, match="lm_head: shares"):
        replace_linear(model, filter_fn=filters.named("lm_head"))


def test_memory_that_two_parameters_share_is_a_tie() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight.data = model[0].weight.data
    assert model[1].weight is not model[0].weight
    with pytest.raises(SpecError, match=r"0: shares .*\n.*1: shares|0: shares[^\n]*\n1: shares"):
        replace_linear(model, filter_fn=everything)


def test_a_tied_bias_is_a_tie() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].bias = model[0].bias
    with pytest.raises(SpecError, match="0: shares"):
        replace_linear(model, filter_fn=filters.named("0"))


def test_parameters_that_lie_in_one_file_mapping_are_no_tie(tmp_path) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    flat = torch.randn(2 * 72)
    for index, layer in enumerate(model):
        part = flat[72 * index : 72 * (index + 1)]
        layer.weight, layer.bias = nn.Parameter(part[:64].view(8, 8)), nn.Parameter(part[64:])
    _, report = replace_linear(model, filter_fn=everything)
    assert len(report.replaced) == 2


def test_a_shared_module_is_replaced_everywhere_when_allowed() -> None:
    linear = nn.Linear(8, 8)
    model = nn.ModuleDict({"a": linear, "b": nn.Sequential(linear)})
    with pytest.raises(SpecError, match=r"a: shares .*allow_shared=True replaces it everywhere"):
        replace_linear(model, filter_fn=everything)
    _, report = replace_linear(model, filter_fn=everything, allow_shared=True)
    assert isinstance(model["a"], DyadLinear)
    assert model["a"] is model["b"][0]
    assert [(layer.name, layer.module) for layer in report.replaced] == [("a", "a"), ("b.0", "a")]
    assert report.parameters_before == 64


def test_a_shared_module_of_which_one_name_is_picked_is_refused() -> None:
    linear = nn.Linear(8, 8)
    model = nn.ModuleDict({"a": linear, "b": linear})
    with pytest.raises(SpecError, match=r"a: is in 2 places of the model, and filter_fn picks only 1"):
        replace_linear(model, filter_fn=filters.named("a"), allow_shared=True)


@pytest.mark.parametrize(
    "settings",
    [lambda name, module: {"n_blocks": 4 if name == "a" else 2}, lambda name, module: None if name == "b" else {}],
)
def test_a_shared_module_gets_one_structure_in_all_places(settings) -> None:
    linear = nn.Linear(8, 8)
    model = nn.ModuleDict({"a": linear, "b": linear})
    with pytest.raises(SpecError, match="b: is one module in several places .* must get one structure"):
        replace_linear(model, filter_fn=everything, allow_shared=True, settings=settings)
    assert model["a"] is linear


def test_a_tie_elsewhere_in_the_model_is_no_obstacle() -> None:
    model = small_model("opt")
    _, report = replace_linear(model, filter_fn=filters.opt_feed_forward)
    assert len(report.replaced) == 4
    assert model.lm_head.weight is model.model.decoder.embed_tokens.weight


def test_nothing_matched_says_what_there_is_and_how_to_name_it() -> None:
    with pytest.raises(SpecError) as error:
        replace_linear(small_model("opt"), filter_fn=lambda module, name: False)
    (problem,) = error.value.problems
    assert "2 × model.decoder.layers.*.fc1 (32→64)" in problem.suggestion
    assert "filter_fn=dyad_core.surgery.filters.named('model.decoder.layers.*.fc1')" in problem.suggestion


def test_nothing_to_match_says_so() -> None:
    with pytest.raises(SpecError, match="The model has no such layer$"):
        replace_linear(nn.ReLU(), filter_fn=everything)
    with pytest.raises(SpecError, match=r"no such layer; it has 1 × \* \(8→8\), which are never replaced"):
        replace_linear(nn.Sequential(DyadLinear(8, 8)), filter_fn=everything)


def test_a_model_of_many_kinds_is_listed_up_to_a_limit() -> None:
    model = nn.ModuleDict({f"layer_{index:03}": nn.Linear(4, 4) for index in range(100)})
    with pytest.raises(SpecError, match="and 76 kinds more") as error:
        replace_linear(model, filter_fn=lambda module, name: False)
    assert len(str(error.value)) < 2000


class Hidden(nn.Module):
    """Keeps its layer a second time, where no walk over modules sees it."""

    def __init__(self, keep) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.other = nn.Linear(8, 8)
        self.also = keep(self.fc)


@pytest.mark.parametrize(
    "keep",
    [lambda fc: [fc], lambda fc: (0, fc), lambda fc: {"fc": fc}, lambda fc: [fc.weight], lambda fc: {fc.bias}],
)
def test_a_layer_that_a_plain_attribute_holds_as_well_is_refused(keep) -> None:
    model = nn.Sequential(Hidden(keep))
    with pytest.raises(SpecError, match=r"0\.fc: is held in the attribute 'also' of 0 as well, outside of the modules"):
        replace_linear(model, filter_fn=everything)
    _, report = replace_linear(model, filter_fn=filters.named("0.other"))
    assert len(report.replaced) == 1


def test_problems_of_a_root_are_those_of_the_model() -> None:
    with pytest.raises(SpecError, match=r"^model: has hooks \(forward_pre_hooks, .*, the part 'weight_u'"):
        replace_linear(nn.utils.spectral_norm(nn.Linear(8, 8)), filter_fn=everything)


def test_a_replacement_in_inference_mode_can_be_trained() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    with torch.inference_mode():
        replace_linear(model, filter_fn=everything)
    model(torch.randn(2, 8)).sum().backward()
    assert model[0].weight_blocktrans.grad is not None


def test_a_model_made_in_inference_mode_can_be_replaced() -> None:
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(8, 8), small_model("gpt2").transformer.h[0].mlp.c_fc)
    _, report = replace_linear(model, filter_fn=everything)
    assert all(row.relative_error > 0 for row in report.replaced)
    model[0](torch.randn(2, 8)).sum().backward()
