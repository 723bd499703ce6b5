"""Passes as closures: what they leave behind, and that a cache never grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from model_tools import BERT, GPT2, LLAMA, NEOX, OPT, tiny

from dyad_core.bench.passes import make_optimizer
from dyad_core.models.measuring.part_times import Built
from dyad_core.models.measuring.passes import Decode, Feed, Prefill, TrainStep, cache_tensors, make_pass, mode_for

CAUSAL = [OPT, NEOX, GPT2, LLAMA]


def test_tokens_come_from_the_seed_and_are_in_the_vocabulary() -> None:
    first, again, other = Feed.draw(tiny(), 128), Feed.draw(tiny(), 128), Feed.draw(tiny(seed=1), 128)
    assert torch.equal(first.ids, again.ids)
    assert not torch.equal(first.ids, other.ids)
    assert (first.ids.shape, first.next.shape) == ((2, 8), (2, 1))
    assert int(first.ids.max()) < 128


def test_a_training_step_leaves_no_gradient_and_its_weights(
    build: Callable[..., Built], feed: Callable[..., Feed]
) -> None:
    model = build().model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = make_optimizer(model, "adamw")
    call = make_pass("train_step", model, feed(), optimizer)
    assert isinstance(call, TrainStep)
    call()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert optimizer is not None
    assert len(optimizer.state) == len(list(model.parameters()))
    assert call.untimed().ndim == 0
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("config", CAUSAL, ids=lambda config: str(config["model_type"]))
def test_a_cache_does_not_grow_however_often_it_is_decoded_behind(
    build: Callable[..., Built], feed: Callable[..., Feed], config: dict[str, Any]
) -> None:
    model = build(config=config).model.eval()
    call = make_pass("decode", model, feed())
    assert isinstance(call, Decode)
    first = call().logits
    held = [(id(tensor), tensor.shape) for tensor in cache_tensors(call.cache)]
    assert all(shape[-2] == 8 for _, shape in held)
    for _ in range(3):
        assert torch.equal(call().logits, first)
        assert [(id(tensor), tensor.shape) for tensor in cache_tensors(call.cache)] == held
    assert call.cache.get_seq_length() == 8


@pytest.mark.parametrize("config", CAUSAL, ids=lambda config: str(config["model_type"]))
def test_decoding_behind_the_cache_is_the_last_token_of_the_whole(
    build: Callable[..., Built], feed: Callable[..., Feed], config: dict[str, Any]
) -> None:
    model = build(config=config).model.eval()
    fed = feed()
    with torch.no_grad():
        whole = model(input_ids=torch.cat([fed.ids, fed.next], dim=1)).logits[:, -1:]
    torch.testing.assert_close(make_pass("decode", model, fed)().logits, whole)


def test_a_prefill_computes_the_last_logits_and_hands_out_the_cache(
    build: Callable[..., Built], feed: Callable[..., Feed]
) -> None:
    model = build().model.eval()
    call = make_pass("prefill", model, feed())
    assert isinstance(call, Prefill)
    assert call().logits.shape == (2, 1, 128)
    logits, *cache = call.untimed()
    assert len(cache) == 4
    assert {tuple(each.shape) for each in cache} == {(2, 2, 8, 16)}
    assert not logits.requires_grad


def test_a_model_without_a_cache_computes_everything(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    model = build(config=BERT).model.eval()
    logits, *cache = make_pass("prefill", model, feed()).untimed()
    assert (logits.shape, cache) == ((2, 8, 128), [])


def test_checkpointing_is_on_in_training_only(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    model = build().model
    mode_for("train_step", model, checkpointing=True)
    assert model.training
    assert any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    make_pass("train_step", model, feed())()
    mode_for("prefill", model, checkpointing=True)
    assert not model.training
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
