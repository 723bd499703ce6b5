"""Quantised models, models wrapped by PEFT and models spread over processes are refused in one sentence, unchanged."""

from __future__ import annotations

import pytest
import torch
from small_models import small_model
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import BitsAndBytesConfig

from dyad_core import SpecError, replace_linear
from dyad_core.surgery import filters

# peft 0.21 asks transformers 5.23 by a name that goes in its next version.
OLD_NAME = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def everything(module: nn.Module, name: str) -> bool:
    return True


def refused(model: nn.Module, message: str) -> None:
    before = list(model.modules())
    with pytest.raises(SpecError, match=message) as error:
        replace_linear(model, filter_fn=everything)
    assert len(error.value.problems) == 1
    assert list(model.modules()) == before


class QuantizedByNobody:
    """As the object that a quantised checkpoint leaves at its model."""

    def __init__(self, method: str) -> None:
        self.quantization_config = type("Config", (), {"quant_method": method})()


@pytest.mark.parametrize(
    "config", [{"quant_method": "gptq", "bits": 4}, BitsAndBytesConfig(load_in_8bit=True), {"bits": 4}]
)
def test_a_config_that_names_a_quantisation_is_refused(config) -> None:
    model = small_model("opt")
    model.config.quantization_config = config
    refused(model, r"model: is quantised; received 'OPTForCausalLM'\. load it without quantisation")


def test_a_quantizer_of_transformers_is_refused() -> None:
    model = small_model("opt")
    model.hf_quantizer = QuantizedByNobody("awq")
    refused(model, "model: is quantised")


def test_our_own_settings_in_the_config_are_no_quantisation() -> None:
    model = small_model("opt")
    model.config.quantization_config = {"quant_method": "dyad"}
    model.hf_quantizer = QuantizedByNobody("dyad")
    _, report = replace_linear(model, filter_fn=filters.opt_feed_forward)
    assert len(report.replaced) == 4


def test_quantised_modules_of_torch_are_refused() -> None:
    class Quantised(nn.Module):
        in_features = out_features = 8

    Quantised.__module__ = "torch.ao.nn.quantized.dynamic.modules.linear"
    refused(nn.Sequential(nn.Linear(8, 8), Quantised()), "model: is quantised; received 'Quantised 1'")


def test_linear_layers_of_a_quantising_package_are_refused() -> None:
    class Linear8bitLt(nn.Linear):
        pass

    Linear8bitLt.__module__ = "bitsandbytes.nn.modules"
    refused(nn.Sequential(nn.Linear(8, 8), Linear8bitLt(8, 8)), "model: is quantised; received 'Linear8bitLt 1'")


@OLD_NAME
def test_a_model_wrapped_by_peft_is_refused_and_merged_it_is_taken() -> None:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(small_model("opt"), peft.LoraConfig(target_modules=["fc1"], r=2))
    refused(model, r"model: is wrapped by PEFT.*received 'PeftModel'.*before get_peft_model, or after merge_and_unload")
    # The bare model inside still holds the adapters.
    refused(model.get_base_model(), "model: is wrapped by PEFT")
    merged, report = replace_linear(model.merge_and_unload(), filter_fn=filters.opt_feed_forward)
    assert len(report.replaced) == 4


@OLD_NAME
def test_adapters_go_onto_a_model_whose_layers_are_replaced() -> None:
    peft = pytest.importorskip("peft")
    model, _ = replace_linear(small_model("opt"), filter_fn=filters.opt_feed_forward)
    wrapped = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"], r=2))
    assert any("lora_A" in name for name, _ in wrapped.named_parameters())


def test_a_model_wrapped_for_several_processes_is_refused() -> None:
    refused(nn.DataParallel(nn.Linear(8, 8)), "model: is wrapped for several processes.*replace layers first")


def test_torch_compile_wraps_a_model_that_can_still_be_swapped() -> None:
    torch._dynamo.reset()
    inner = nn.Sequential(nn.Linear(8, 8))
    model = torch.compile(inner, backend="eager")
    x = torch.randn(3, 8)
    before = model(x)
    swapped, report = replace_linear(model, filter_fn=everything)
    assert [layer.name for layer in report.replaced] == ["_orig_mod.0"]
    after = swapped(x)
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, x @ inner[0].to_dense().T + inner[0].bias)
    report.undo(swapped)
    assert torch.equal(swapped(x), before)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_model_is_refused() -> None:
    model = torch.jit.script(nn.Sequential(nn.Linear(8, 8)))
    with pytest.raises(SpecError, match="model: is compiled by torch.jit, which fixes its layers"):
        replace_linear(model, filter_fn=everything)


def test_a_model_that_fully_shard_took_is_refused(tmp_path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        for shard in (lambda model: model, lambda model: model[0]):
            model = nn.Sequential(nn.Linear(8, 8))
            fully_shard(shard(model), mesh=init_device_mesh("cpu", (1,)))
            refused(model, "model: is wrapped for several processes.*received 'FSDP")
        refused(
            nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(8, 8))), "received 'DistributedDataParallel'"
        )
    finally:
        distributed.destroy_process_group()
