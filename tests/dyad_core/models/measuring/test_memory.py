"""Memory of a pass: split as everywhere, the cache where it belongs, and what the sizes let expect beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from model_tools import tiny

from dyad_core.bench.passes import make_optimizer
from dyad_core.models.measuring.memory import measure_model_memory, predicted_memory
from dyad_core.models.measuring.part_times import Built
from dyad_core.models.measuring.passes import Feed, make_pass, mode_for
from dyad_core.models.measuring.trial import ModelPlan
from dyad_core.models.measuring.workshop import Workshop

CACHE = 2 * 2 * 2 * 32 * 8 * 4
"""Bytes of keys and values of two sequences of eight tokens in two blocks of width 32."""


def test_a_training_step_is_what_was_expected(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    spec, dense, fed = tiny(), build(), feed()
    mode_for("train_step", dense.model, checkpointing=False)
    optimizer = make_optimizer(dense.model, "adamw")
    call = make_pass("train_step", dense.model, fed, optimizer)
    call()
    found = measure_model_memory(dense.model, fed, call, optimizer)
    expected = predicted_memory(Workshop(spec).estimate.dense, spec, "train_step")
    for name in ("parameters_bytes", "inputs_bytes", "gradients_bytes", "optimizer_state_bytes"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.saved_activations_bytes == pytest.approx(expected.saved_activations_bytes, rel=0.05)
    assert all(parameter.grad is None for parameter in dense.model.parameters())


def test_checkpointing_keeps_less(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    kept = []
    for checkpointing in (False, True):
        dense, fed = build(), feed()
        mode_for("train_step", dense.model, checkpointing=checkpointing)
        kept.append(measure_model_memory(dense.model, fed, make_pass("train_step", dense.model, fed), None))
    assert (kept[1].saved_activations_bytes or 0) < (kept[0].saved_activations_bytes or 0)


def test_a_new_cache_is_output_and_a_filled_one_is_held(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    dense, fed = build(), feed()
    mode_for("prefill", dense.model, checkpointing=False)
    logits = 2 * 128 * 4
    made = measure_model_memory(dense.model, fed, make_pass("prefill", dense.model, fed), None)
    held = measure_model_memory(dense.model, fed, make_pass("decode", dense.model, fed), None)
    assert made.outputs_bytes == CACHE + logits
    assert (held.inputs_bytes, held.outputs_bytes) == (made.inputs_bytes + CACHE, logits)
    assert held.peak_bytes == held.parameters_bytes + held.inputs_bytes + held.allocated_peak_bytes
    assert (made.gradients_bytes, made.saved_activations_bytes) == (0, 0)


def test_sizes_foretell_the_cache_of_each_pass() -> None:
    spec = tiny()
    cost = Workshop(spec).cost(ModelPlan())
    assert cost is not None
    prefill, decode = (predicted_memory(cost, spec, pass_) for pass_ in ("prefill", "decode"))
    assert prefill.outputs_bytes == CACHE
    assert decode.inputs_bytes == prefill.inputs_bytes + CACHE
