"""Everything that people do with a model of transformers, done with DYAD in it: small models of the real classes.

The yardstick is the same model with a dense layer of ``to_dense()`` in the place of each DYAD layer. Saving and loading has a file of its
own (``persistence/test_round_trip.py``), several processes another (``test_accelerate.py``).
"""

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch
from small_models import small_model, some_tokens
from torch import Tensor, nn

from dyad_core import DyadFeedForward, DyadLinear
from dyad_core.models import swap

# (architecture, mode, changes of its small config)
MODELS = [
    pytest.param("opt", "layers", {}, id="opt"),
    pytest.param("opt", "feed_forward", {}, id="opt-feed_forward"),
    pytest.param("opt", "layers", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}, id="opt-350m"),
    pytest.param(
        "opt", "feed_forward", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}, id="opt-350m-feed_forward"
    ),
    pytest.param("gpt_neox", "layers", {}, id="pythia"),
    pytest.param("gpt_neox", "feed_forward", {}, id="pythia-feed_forward"),
    pytest.param("gpt2", "layers", {}, id="gpt2"),
    pytest.param("llama", "layers", {"num_key_value_heads": 2, "tie_word_embeddings": True}, id="llama"),
    pytest.param("bert", "layers", {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}, id="bert"),
]
each_model = pytest.mark.parametrize(("model_type", "mode", "changes"), MODELS)
each_causal_model = pytest.mark.parametrize(("model_type", "mode", "changes"), MODELS[:-1])


def swapped(model_type: str, mode: str, changes: dict[str, Any]) -> Any:
    return swap(small_model(model_type, **changes), mode=mode)[0]


def dense_twin(model: Any) -> Any:
    """A copy whose DYAD layers are dense layers of the same weight."""
    twin = copy.deepcopy(model)
    pairs = {name: module for name, module in twin.named_modules() if isinstance(module, DyadFeedForward)}
    single = {name: module for name, module in twin.named_modules() if isinstance(module, DyadLinear)}
    for name, pair in pairs.items():
        activation = {"relu": nn.ReLU(), "gelu": nn.GELU()}[pair.activation]
        parts = OrderedDict(fc1=dense(pair.fc1), activation=activation, fc2=dense(pair.fc2))
        twin.set_submodule(name, nn.Sequential(parts))
    for name, layer in single.items():
        if name.rpartition(".")[0] not in pairs:
            twin.set_submodule(name, dense(layer))
    assert not any(isinstance(module, DyadLinear) for module in twin.modules())
    return twin


def dense(layer: DyadLinear) -> nn.Linear:
    made = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    made.weight = nn.Parameter(layer.to_dense().detach())
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.detach().clone())
    return made


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


def step(model: nn.Module) -> Tensor:
    """Loss of one batch; its gradients are in the model afterwards."""
    model.zero_grad()
    loss = model(some_tokens(), labels=some_tokens()).loss
    loss.backward()
    return loss.detach()


@each_model
def test_logits_and_loss_are_those_of_the_dense_twin(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes)
    twin = dense_twin(model)

    mine, its = (m(some_tokens(), labels=some_tokens()) for m in (model, twin))

    torch.testing.assert_close(mine.logits, its.logits)
    torch.testing.assert_close(mine.loss, its.loss)


@each_model
def test_every_parameter_gets_the_gradient_of_the_dense_twin(
    model_type: str, mode: str, changes: dict[str, Any]
) -> None:
    model = swapped(model_type, mode, changes)
    twin = dense_twin(model)

    step(model)
    step(twin)

    mine, its = gradients(model), gradients(twin)
    assert [name for name, _ in model.named_parameters() if name not in mine] == []
    for name, gradient in its.items():
        if name in mine:
            torch.testing.assert_close(mine[name], gradient, msg=lambda text, name=name: f"{name}: {text}")
    # A DYAD weight collects the gradient of each place of the dense one that it stands at.
    for name, module in model.named_modules():
        if isinstance(module, DyadLinear) and f"{name}.weight" in its:
            full = its[f"{name}.weight"]
            n, block_out, block_in = module.weight_blockdiag.shape
            blocks = full.reshape(n, block_out, n, block_in)
            expected = torch.stack([blocks[b, :, b] for b in range(n)])
            torch.testing.assert_close(mine[f"{name}.weight_blockdiag"], expected)


@each_causal_model
def test_generating_with_the_cache_is_generating_without(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes)
    prompt = some_tokens(2, 5)
    options = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False, "attention_mask": torch.ones_like(prompt)}

    with_cache, without = (model.generate(prompt, use_cache=use, **options) for use in (True, False))

    assert with_cache.shape == (2, 13)
    assert torch.equal(with_cache, without)
    assert torch.equal(with_cache, dense_twin(model).generate(prompt, **options))


@each_causal_model
def test_decoding_token_by_token_gives_the_logits_of_the_whole(
    model_type: str, mode: str, changes: dict[str, Any]
) -> None:
    model = swapped(model_type, mode, changes)
    tokens = some_tokens(2, 6)
    whole = model(tokens).logits

    cache, parts = None, []
    for place in range(tokens.shape[1]):
        output = model(tokens[:, place : place + 1], past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        parts.append(output.logits)

    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


@each_model
def test_gradient_checkpointing_gives_the_same_gradients(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes).train()
    no_dropout(model)
    model.config.use_cache = False  # there is nothing to keep in a training step, and checkpointing asks for it
    loss = step(model)
    expected = gradients(model)

    model.activation_checkpointing_enable()
    checkpointed = step(model)

    assert model.is_activation_checkpointing
    assert torch.equal(checkpointed, loss)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=0, msg=name)


def no_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


@each_model
def test_compiled_models_give_the_same_logits(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes)
    expected = model(some_tokens()).logits

    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)

    torch.testing.assert_close(compiled(some_tokens()).logits, expected)


@pytest.mark.soak
@each_model
def test_the_default_compiler_trains_a_swapped_model(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes)
    loss = step(model)
    expected = gradients(model)

    torch._dynamo.reset()
    compiled = torch.compile(model)
    model.zero_grad()
    result = compiled(some_tokens(), labels=some_tokens()).loss
    result.backward()

    torch.testing.assert_close(result, loss)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


@each_model
def test_bfloat16_stays_near_float32(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes)
    expected = model(some_tokens()).logits

    half = copy.deepcopy(model).bfloat16()
    logits = half(some_tokens()).logits
    step(half)

    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(logits.float(), expected, rtol=0.1, atol=0.1)
    assert {gradient.dtype for gradient in gradients(half).values()} == {torch.bfloat16}
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(some_tokens(), labels=some_tokens())
    torch.testing.assert_close(mixed.logits.float(), expected, rtol=0.1, atol=0.1)


@each_model
def test_a_few_steps_of_training_lower_the_loss(model_type: str, mode: str, changes: dict[str, Any]) -> None:
    model = swapped(model_type, mode, changes).train()
    no_dropout(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    losses = []
    for _ in range(5):
        losses.append(step(model).item())
        optimizer.step()

    assert losses[-1] < losses[0] - 0.2
