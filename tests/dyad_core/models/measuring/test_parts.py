"""The parts of a step: together they do what the whole does, and each leaves the model as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from model_tools import BERT, GPT2, LLAMA, NEOX, OPT, tiny
from torch.utils.flop_counter import FlopCounterMode

from dyad_core.bench.passes import make_optimizer
from dyad_core.models.measuring.anatomy import find_blocks, watch
from dyad_core.models.measuring.part_times import Built, Part, make_parts, part_times
from dyad_core.models.measuring.parts import FEED_FORWARD, OPTIMIZER, OPTIMIZER_REST, OUTSIDE, REST
from dyad_core.models.measuring.passes import Feed, make_pass, mode_for
from dyad_core.models.measuring.trial import DENSE
from dyad_core.models.spec import ModelPass

CAUSAL = [OPT, NEOX, GPT2, LLAMA]
PASSES: tuple[ModelPass, ...] = ("train_step", "prefill", "decode")


def flops(call: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def parts_of(pass_: ModelPass, feed: Feed, built: list[Built], *, checkpointing: bool = False) -> list[Part]:
    spec = tiny(checkpointing=checkpointing)
    for each in built:
        mode_for(pass_, each.model, checkpointing=checkpointing)
    calls = {each.plan.name: make_pass(pass_, each.model, feed) for each in built}
    optimizers = {}
    if pass_ == "train_step":
        for each in built:
            optimizer = make_optimizer(each.model, "adamw")
            assert optimizer is not None
            make_pass(pass_, each.model, feed, optimizer)()  # type: ignore[operator]
            optimizers[each.plan.name] = optimizer
    return make_parts(spec, pass_, feed, built, calls, optimizers)


@pytest.mark.parametrize("config", [*CAUSAL, BERT], ids=lambda config: str(config["model_type"]))
@pytest.mark.parametrize("pass_", PASSES)
def test_the_products_of_the_parts_are_those_of_the_whole(
    build: Callable[..., Built], feed: Callable[..., Feed], config: dict[str, Any], pass_: ModelPass
) -> None:
    if config is BERT and pass_ == "decode":
        pytest.skip("BERT has no cache")
    dense, fed = build(config=config), feed()
    mode_for(pass_, dense.model, checkpointing=False)
    whole = flops(make_pass(pass_, dense.model, fed))
    parts = parts_of(pass_, fed, [dense, build("layers", config=config)])
    mine = {part.part: flops(part.call) for part in parts if part.plan is None or part.plan.variant is None}
    assert sum(mine.values()) == whole
    assert all(mine[name] > 0 for name in (FEED_FORWARD, REST, OUTSIDE))


def test_checkpointed_parts_compute_each_forward_twice(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    dense, fed = build(), feed()
    mode_for("train_step", dense.model, checkpointing=True)
    whole = flops(make_pass("train_step", dense.model, fed))
    parts = parts_of("train_step", fed, [dense, build("layers")], checkpointing=True)
    assert sum(flops(part.call) for part in parts if part.plan is None or part.plan.variant is None) == whole


@pytest.mark.parametrize("mode", ["layers", "feed_forward"])
@pytest.mark.parametrize("pass_", PASSES)
def test_parts_are_named_once_counted_by_block_and_leave_nothing_behind(
    build: Callable[..., Built], feed: Callable[..., Feed], pass_: ModelPass, mode: str
) -> None:
    dense, swapped = build(), build(mode)
    parts = parts_of(pass_, feed(), [dense, swapped])
    states = [{name: value.clone() for name, value in each.model.state_dict().items()} for each in (dense, swapped)]
    names = [FEED_FORWARD, FEED_FORWARD, REST, OUTSIDE]
    names += [OPTIMIZER, OPTIMIZER, OPTIMIZER_REST] if pass_ == "train_step" else []
    assert [part.part for part in parts] == names
    assert [part.count for part in parts] == [2, 2, 2, *[1] * (len(names) - 3)]
    assert len({part.name for part in parts}) == len(parts)
    for _ in range(2):
        for part in parts:
            part.call()
    for each, before in zip((dense, swapped), states, strict=True):
        assert all(parameter.grad is None for parameter in each.model.parameters())
        assert all(torch.equal(value, before[name]) for name, value in each.model.state_dict().items())


def test_an_optimizer_steps_over_what_is_replaced_or_over_the_rest(
    build: Callable[..., Built], feed: Callable[..., Feed]
) -> None:
    dense, swapped = build(), build("layers")
    parts = parts_of("train_step", feed(), [dense, swapped])
    by_name = {part.name: part.call for part in parts}
    sizes = {
        name: sum(parameter.numel() for parameter, _ in call.pairs)  # type: ignore[attr-defined]
        for name, call in by_name.items()
        if "optimizer" in name
    }
    replaced = 2 * (32 * 64 + 64 + 64 * 32 + 32)
    assert sizes["part optimizer of dense"] == replaced
    assert sizes["part optimizer of it n=4 layers"] == 2 * (32 * 64 // 2 + 64 + 64 * 32 // 2 + 32)
    everything = sum(parameter.numel() for parameter in dense.model.parameters())
    assert sizes["part optimizer_rest"] == everything - replaced


def test_records_are_of_once(build: Callable[..., Built], feed: Callable[..., Feed]) -> None:
    parts = parts_of("prefill", feed(), [build(), build("layers")])
    found = part_times(parts, "prefill", {part.name: [4.0, 2.0] for part in parts[:3]})
    assert [(each.variant, each.n_blocks, each.mode) for each in found] == [
        (DENSE, None, None), ("it", 4, "layers"), (None, None, None),
    ]  # fmt: skip
    assert {each.samples_ms for each in found} == {(2.0, 1.0)}
    assert {(each.median_ms, each.count, each.pass_) for each in found} == {(1.5, 2, "prefill")}


def test_layers_that_are_in_no_list_of_blocks_cannot_be_taken_apart(
    build: Callable[..., Built], feed: Callable[..., Feed]
) -> None:
    dense = build()
    lost = Built(dense.plan, dense.model, ("lm_head",))
    assert find_blocks(dense.model, ("lm_head",)) is None
    with pytest.raises(LookupError, match="no list of blocks"):
        parts_of("prefill", feed(), [lost])


def test_a_block_is_watched_with_its_replaced_layers_and_the_activation_between(
    build: Callable[..., Built], feed: Callable[..., Feed]
) -> None:
    dense, swapped = build(), build("feed_forward")
    blocks = find_blocks(dense.model, dense.replaced)
    assert blocks == "model.decoder.layers"
    found = watch(dense.model, "prefill", feed(), dense.replaced, blocks)
    assert found.layers[:3] == tuple(f"{blocks}.0.{name}" for name in ("fc1", "activation_fn", "fc2"))
    assert found.held == (f"{blocks}.0", f"{blocks}.1")
    assert watch(swapped.model, "prefill", feed(), swapped.replaced, blocks).layers == (
        f"{blocks}.0.fc1", f"{blocks}.1.fc1",
    )  # fmt: skip
    assert not any(module._forward_hooks for module in dense.model.modules())
