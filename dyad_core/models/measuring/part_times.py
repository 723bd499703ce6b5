"""The parts of one pass while they are timed beside the whole, and the records they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dyad_core.bench.statistics import quartiles
from dyad_core.bench.timer import Call
from dyad_core.models.measuring.anatomy import Anatomy, find_blocks, watch
from dyad_core.models.measuring.parts import (
    FEED_FORWARD,
    OPTIMIZER,
    OPTIMIZER_REST,
    OUTSIDE,
    REST,
    BlocksCall,
    Kept,
    LayersCall,
    OptimizerCall,
    OutsideCall,
)
from dyad_core.models.measuring.passes import Decode, Feed
from dyad_core.models.measuring.trial import DENSE, ModelPlan
from dyad_core.models.records import PartTime
from dyad_core.models.spec import ModelPass, ModelSpec

__all__ = ["Built", "Part", "make_parts", "part_times"]


@dataclass(frozen=True)
class Built:
    """One model of a run.

    Attributes:
        plan: what it is.
        model: built, on its device.
        replaced: full dotted names of the layers that DYAD replaces, or of what replaced them.
    """

    plan: ModelPlan
    model: nn.Module
    replaced: tuple[str, ...]

    def parameters(self) -> list[nn.Parameter]:
        """Those of the replaced layers."""
        layers = [self.model.get_submodule(name) for name in self.replaced]
        return list({id(each): each for layer in layers for each in layer.parameters()}.values())


@dataclass(frozen=True)
class Part:
    """One part while it is timed.

    Attributes:
        part: its machine name (:mod:`dyad_core.models.measuring.parts`).
        plan: of which model; None for what stays as it is.
        count: how often a step does it; one call does it so often.
        call: does it.
    """

    part: str
    plan: ModelPlan | None
    count: int
    call: Call

    @property
    def name(self) -> str:
        """Unique among the samples of a round."""
        return f"part {self.part}" if self.plan is None else f"part {self.part} of {self.plan.name}"


def make_parts(
    spec: ModelSpec,
    pass_: ModelPass,
    feed: Feed,
    built: Sequence[Built],
    calls: Mapping[str, Call],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> list[Part]:
    """Take the models of one pass apart; the dense one is the first of ``built``.

    Raises:
        LookupError: the model has no list of blocks that holds the replaced layers, or never calls one of them.
    """
    dense = built[0]
    blocks = find_blocks(dense.model, dense.replaced)
    if blocks is None:
        msg = "the replaced layers are in no list of blocks"
        raise LookupError(msg)
    kept = Kept()
    seen = [watch(each.model, pass_, feed, each.replaced, blocks) for each in built]
    parts = [
        Part(
            FEED_FORWARD,
            each.plan,
            len(anatomy.held),
            LayersCall(
                [(each.model.get_submodule(name), anatomy.seen[name]) for name in anatomy.layers],
                kept,
                trains=pass_ == "train_step",
                checkpointing=spec.checkpointing,
            ),
        )
        for each, anatomy in zip(built, seen, strict=True)
        if _is_whole(anatomy)
    ]
    stack = dense.model.get_submodule(blocks)
    count = sum(1 for _ in stack.children())
    parts.append(Part(REST, None, count, BlocksCall(dense.model, seen[0], kept, pass_)))
    decode = calls.get(DENSE)
    cache = decode.cache if isinstance(decode, Decode) else None
    parts.append(Part(OUTSIDE, None, 1, OutsideCall(dense.model, blocks, pass_, feed, cache)))
    parts += _optimizer_parts(built, optimizers)
    return parts


def _is_whole(anatomy: Anatomy) -> bool:
    missing = [name for name in anatomy.replaced if name not in anatomy.seen]
    if missing:
        msg = f"{missing[0]} was not called"
        raise LookupError(msg)
    return True


def _optimizer_parts(built: Sequence[Built], optimizers: Mapping[str, torch.optim.Optimizer]) -> Iterator[Part]:
    if not optimizers:
        return
    dense = built[0]
    everything = list(dense.model.parameters())
    # One set of gradients for all: an optimizer reads them and keeps none.
    gradients = torch.randn(
        sum(each.numel() for each in everything), device=everything[0].device, dtype=everything[0].dtype
    ).mul_(0.01)
    for each in built:
        optimizer = optimizers[each.plan.name]
        yield Part(OPTIMIZER, each.plan, 1, OptimizerCall(optimizer, each.parameters(), gradients))
    known = {id(parameter) for parameter in dense.parameters()}
    rest = [parameter for parameter in everything if id(parameter) not in known]
    yield Part(OPTIMIZER_REST, None, 1, OptimizerCall(optimizers[dense.plan.name], rest, gradients))


def part_times(parts: Sequence[Part], pass_: ModelPass, samples: Mapping[str, list[float]]) -> list[PartTime]:
    """The records of the parts that have samples, each of once."""
    found = []
    for part in parts:
        once = tuple(sample / part.count for sample in samples.get(part.name, ()))
        if not once:
            continue
        spread, plan = quartiles(once), part.plan
        found.append(
            PartTime(
                part=part.part,
                pass_=pass_,
                variant=None if plan is None else plan.variant or DENSE,
                n_blocks=None if plan is None else plan.n_blocks,
                mode=None if plan is None else plan.mode,
                count=part.count,
                samples_ms=once,
                median_ms=spread.median,
                q1_ms=spread.q1,
                q3_ms=spread.q3,
            )
        )
    return found
