"""What a model costs, held against the real model: torch's own FLOP counter, autograd's own saved tensors, torch's optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from counted_models import counted_flops, saved_bytes, step_of
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import small_model as built_model
from small_models import some_tokens
from torch import Tensor
from transformers import DynamicCache

from dyad_core.bench.memory import optimizer_state_bytes
from dyad_core.models.architectures import filter_for
from dyad_core.models.cost.model_cost import model_cost
from dyad_core.models.records import ModelCost
from dyad_core.surgery import replace_linear

ARCHITECTURES = ("opt", "gpt_neox", "gpt2", "llama", "mistral", "gemma2", "bert", "gpt_neo")
GENERATING = tuple(name for name in ARCHITECTURES if name != "bert")


def small_model(model_type: str, **changes: Any) -> Any:
    return built_model(model_type, **changes)


@contextmanager
def swapped(model: Any, **structure: Any) -> Iterator[Any]:
    model, report = replace_linear(model, filter_fn=filter_for(model), weights="fresh", **structure)
    yield model
    report.undo(model)


def cost_of(model: Any, tokens: Tensor, **given: Any) -> ModelCost:
    return model_cost(model, batch=tokens.shape[0], sequence=tokens.shape[1], **given)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
@pytest.mark.parametrize("attention", ["its own", "eager"])
def test_flops_of_a_forward_are_those_that_torch_counts(model_type: str, attention: str) -> None:
    model, tokens = small_model(model_type), some_tokens(2, 12)
    if attention == "eager":
        model.set_attn_implementation(attention)
    assert cost_of(model, tokens).flops_forward == counted_flops(lambda: step_of(model, tokens))
    with swapped(model, n_blocks=4, variant="dt") as with_dyad:
        assert cost_of(with_dyad, tokens).flops_forward == counted_flops(lambda: step_of(with_dyad, tokens))


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_flops_of_a_training_step_are_those_that_torch_counts(model_type: str) -> None:
    model, tokens = small_model(model_type, attn_implementation="eager"), some_tokens(2, 12)
    for variant in ("it", "bd"):
        with swapped(model, n_blocks=2, variant=variant) as with_dyad:
            counted = counted_flops(lambda: step_of(with_dyad, tokens, backward=True))
            assert cost_of(with_dyad, tokens).flops_train_step == counted


@pytest.mark.parametrize("model_type", ["opt", "gpt_neox", "llama"])
def test_with_checkpointing_the_blocks_are_multiplied_once_more(model_type: str) -> None:
    model, tokens = small_model(model_type, attn_implementation="eager"), some_tokens(2, 12)
    foretold = cost_of(model, tokens, checkpointing=True)
    plain = cost_of(model, tokens)
    model.activation_checkpointing_enable()
    counted = counted_flops(lambda: step_of(model, tokens, backward=True))
    # torch leaves out what follows the last tensor that it has to compute again: at most the last product of each block.
    assert plain.flops_train_step < counted <= foretold.flops_train_step
    assert counted >= 0.9 * foretold.flops_train_step


@pytest.mark.parametrize("model_type", ARCHITECTURES)
@pytest.mark.parametrize("attention", ["its own", "eager"])
def test_activations_are_to_the_byte_what_autograd_saves(model_type: str, attention: str) -> None:
    model, tokens = small_model(model_type), some_tokens(2, 12)
    if attention == "eager":
        model.set_attn_implementation(attention)
    assert cost_of(model, tokens).memory.activations_bytes == saved_bytes(model, tokens)
    with swapped(model, n_blocks=4, variant="it") as with_dyad:
        assert cost_of(with_dyad, tokens).memory.activations_bytes == saved_bytes(with_dyad, tokens)


@settings(max_examples=12, deadline=None)
@given(
    n_blocks=st.sampled_from([1, 2, 4, 8, 16]),
    variant=st.sampled_from(["it", "ot", "dt", "bd"]),
    batch=st.integers(1, 3),
    sequence=st.integers(1, 40),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
    feed_forward=st.booleans(),
    grain=st.sampled_from([1, 2]),
)
def test_every_candidate_costs_what_the_real_one_does(
    n_blocks: int, variant: str, batch: int, sequence: int, dtype: torch.dtype, feed_forward: bool, grain: int
) -> None:
    model, tokens = small_model("opt").to(dtype), some_tokens(batch, sequence)
    structure = {"n_blocks": n_blocks, "variant": variant, "grain": grain, "feed_forward": feed_forward}
    with swapped(model, **structure) as with_dyad:
        found = cost_of(with_dyad, tokens)
        assert found.parameters == sum(parameter.numel() for parameter in with_dyad.parameters())
        assert found.memory.activations_bytes == saved_bytes(with_dyad, tokens)
        counted = counted_flops(lambda: step_of(with_dyad, tokens))
    if not feed_forward or sequence * batch < 32:  # as one module torch's counter sees other operations
        assert found.flops_forward == counted


@pytest.mark.parametrize("model_type", ["opt", "gpt2", "llama"])
def test_blocks_that_are_not_run_cost_what_they_would(model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = {"gpt2": {"n_layer": 5}}.get(model_type, {"num_hidden_layers": 5})
    model, tokens = small_model(model_type, **layers), some_tokens(2, 12)
    quick = cost_of(model, tokens, checkpointing=True)
    monkeypatch.setattr("dyad_core.models.cost.blocks.RUN", 5)
    assert cost_of(model, tokens, checkpointing=True) == quick
    assert quick.memory.activations_bytes == saved_bytes(model, tokens)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weights_gradients_and_optimizer_state_are_what_torch_keeps(model_type: str, optimizer: str) -> None:
    model, tokens = small_model(model_type).to(torch.bfloat16), some_tokens(2, 12)
    replace_linear(model, filter_fn=filter_for(model), weights="fresh", n_blocks=4)
    memory = cost_of(model, tokens, optimizer=optimizer).memory
    parameters = list(model.parameters())
    made = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[optimizer](parameters, lr=1e-3)
    step_of(model, tokens, backward=True)
    made.step()
    assert memory.weights_bytes == sum(parameter.nbytes for parameter in parameters)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    assert memory.gradients_bytes == sum(gradient.nbytes for gradient in gradients)
    assert memory.optimizer_bytes == optimizer_state_bytes(made)
    assert memory.train_bytes == (
        memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes + memory.activations_bytes
    )


@pytest.mark.parametrize("model_type", GENERATING)
def test_the_cache_and_a_token_more_are_what_the_real_model_holds_and_multiplies(model_type: str) -> None:
    model, tokens = small_model(model_type, attn_implementation="eager").eval(), some_tokens(2, 12)
    found = cost_of(model, tokens)
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=tokens, past_key_values=cache, use_cache=True)
        tensors = [each for layer in cache.layers for each in vars(layer).values() if isinstance(each, Tensor)]
        held = sum(tensor.nbytes for tensor in tensors if tensor.is_floating_point())
        again = {"input_ids": tokens[:, :1], "past_key_values": cache, "use_cache": True}
        counted = counted_flops(lambda: model(**again))
    assert found.memory.kv_cache_bytes == held
    assert found.memory.inference_bytes == found.memory.weights_bytes + held
    assert found.flops_decode == counted


def test_grouped_heads_keep_a_smaller_cache() -> None:
    tokens = some_tokens(2, 12)
    full, grouped = (cost_of(small_model("llama", num_key_value_heads=heads), tokens) for heads in (4, 1))
    assert grouped.memory.kv_cache_bytes * 4 == full.memory.kv_cache_bytes


def test_a_model_that_fills_in_words_has_no_cache_and_generates_nothing() -> None:
    found = cost_of(small_model("bert"), some_tokens(2, 12))
    assert (found.memory.kv_cache_bytes, found.flops_decode) == (0, 0)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_kinds_add_up_and_nothing_of_these_models_is_of_no_kind(model_type: str) -> None:
    found = cost_of(small_model(model_type), some_tokens(2, 12))
    assert sum(kind.parameters for kind in found.kinds) == found.parameters
    assert sum(kind.flops_forward for kind in found.kinds) == found.flops_forward
    assert sum(kind.activations_bytes for kind in found.kinds) == found.memory.activations_bytes
    by_kind = {kind.kind: kind for kind in found.kinds}
    assert {"embedding", "attention", "feed_forward", "norm", "head"} <= set(by_kind)
    other = by_kind.get("other")
    assert other is None or (other.parameters, other.flops_forward) == (0, 0)


def test_closed_formulas_of_opt_give_the_same_flops() -> None:
    model, (batch, sequence) = small_model("opt"), (3, 20)
    width, hidden, vocabulary, layers = 32, 64, 80, 2
    linear = layers * (4 * width * width + 2 * width * hidden) + width * vocabulary
    attention = layers * 2 * sequence * width  # scores, and their product with the values
    found = model_cost(model, batch=batch, sequence=sequence)
    assert found.flops_forward == 2 * batch * sequence * (linear + attention)
    decode = layers * 2 * (sequence + 1) * width
    assert found.flops_decode == 2 * batch * (linear + decode)


def test_checkpointing_keeps_the_input_of_each_block_and_one_block() -> None:
    few, many = (cost_of(small_model("opt", num_hidden_layers=layers), some_tokens(2, 12)) for layers in (2, 7))
    one_input = 2 * 12 * 32 * 4
    kept = many.memory.activations_checkpointed_bytes - few.memory.activations_checkpointed_bytes
    assert kept == 5 * one_input
    assert many.memory.activations_checkpointed_bytes < many.memory.activations_bytes
    checkpointed = cost_of(small_model("opt", num_hidden_layers=7), some_tokens(2, 12), checkpointing=True)
    saved = many.memory.activations_bytes - many.memory.activations_checkpointed_bytes
    assert many.memory.train_bytes - checkpointed.memory.train_bytes == saved


def test_the_model_is_left_as_it_was() -> None:
    model, tokens = small_model("opt"), some_tokens(2, 12)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    cost_of(model, tokens)
    assert not model.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    for module in model.modules():
        assert "forward" not in vars(module)
        assert not (module._forward_hooks)
        assert not (module._forward_pre_hooks)


def test_a_model_whose_code_looks_at_values_fails_and_is_left_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    model, tokens = small_model("opt"), some_tokens(2, 12)
    layer = model.model.decoder.layers[1]
    handle = layer.register_forward_hook(lambda _module, _args, output: output * float(output.sum()))
    with pytest.raises(RuntimeError):
        cost_of(model, tokens)
    handle.remove()
    assert cost_of(model, tokens).parameters > 0
    assert caplog.records == []
