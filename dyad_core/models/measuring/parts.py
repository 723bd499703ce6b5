"""The work of a step in parts, each timed by itself in the same rounds as the whole: what a prediction is made of.

* ``feed_forward``: the layers that DYAD replaces, of all blocks one after another, dense and of each candidate, with the
  activation between them;
* ``rest_of_block``: the same blocks with something that costs nothing in their place;
* ``outside_of_blocks``: the model without its blocks: embedding, head and loss;
* ``optimizer``: its step over the parameters of the replaced layers, dense and of each candidate;
* ``optimizer_rest``: its step over all others.

Every block is called, each with its own weights, so that these come from memory as they do in the model, and a training
step runs all forwards before all backwards. Times are per block; ``count`` says how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dyad_core.models.measuring.anatomy import Anatomy, Seen
from dyad_core.models.measuring.passes import Feed, Prefill, restored, snapshot, without_cache
from dyad_core.models.measuring.twins import by_name, twin
from dyad_core.models.spec import ModelPass

__all__ = [
    "FEED_FORWARD",
    "OPTIMIZER",
    "OPTIMIZER_REST",
    "OUTSIDE",
    "REST",
    "BlocksCall",
    "Kept",
    "LayersCall",
    "OptimizerCall",
    "OutsideCall",
]

FEED_FORWARD, REST, OUTSIDE = "feed_forward", "rest_of_block", "outside_of_blocks"
OPTIMIZER, OPTIMIZER_REST = "optimizer", "optimizer_rest"
CACHE = "past_key_values"


class Free(nn.Module):
    """Stands in for a layer at no cost: hands out a kept output, and in backward a kept gradient of its input."""

    def __init__(self, input: Tensor, output: Tensor) -> None:
        """Keep tensors that are handed out as they are."""
        super().__init__()
        self.kept_gradient, self.kept_output = input, output

    def forward(self, input: Tensor) -> Tensor:
        """The kept output, as if it came from ``input``."""
        result: Tensor = _Free.apply(input, self.kept_output, self.kept_gradient)  # type: ignore[no-untyped-call]
        return result


class _Free(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, output: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient, ctx.shape = gradient, input.shape
        return output.detach()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:  # noqa: ARG004 - not needed
        return ctx.gradient.view(ctx.shape), None, None


@dataclass
class Kept:
    """Tensors of random numbers, one for each shape: neighbours share what they are fed, as layers of a model do."""

    by_shape: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)

    def like(self, tensor: Tensor, role: str) -> Tensor:
        """The kept tensor of this shape and dtype for one role."""
        key = (role, tuple(tensor.shape), tensor.dtype)
        if key not in self.by_shape:
            # Not zeros: decaying averages of zeros become denormal numbers, which are slow.
            self.by_shape[key] = torch.randn_like(tensor) * 0.01
        return self.by_shape[key]


class LayersCall:
    """Layers one after another, each on its own weights; in a training step with their backwards, last layer first."""

    def __init__(
        self, layers: Sequence[tuple[nn.Module, Seen]], kept: Kept, *, trains: bool, checkpointing: bool = False
    ) -> None:
        """Make what the layers are fed."""
        self.trains, self.checkpointing = trains, checkpointing
        self.layers = [
            (module, kept.like(seen.input, "input"), kept.like(seen.output, "gradient")) for module, seen in layers
        ]

    def __call__(self) -> object:
        """Every layer once; with checkpointing its forward a second time, before its backward."""
        if not self.trains or self.checkpointing:
            with torch.no_grad():
                outputs = [module(fed) for module, fed, _ in self.layers]
        if not self.trains:
            return outputs[-1]
        if not self.checkpointing:
            outputs = [forward(module, fed) for module, fed, _ in self.layers]
        for output, (module, fed, gradient) in zip(reversed(outputs), reversed(self.layers), strict=True):
            again = forward(module, fed) if self.checkpointing else output
            again.backward(gradient)
        for module, _, _ in self.layers:
            drop_gradients(module)
        return outputs[-1]


def forward(module: nn.Module, fed: Tensor) -> Tensor:
    """One layer on an input whose gradient is handed over, not added to that of another layer with the same input."""
    output: Tensor = module(fed.detach().requires_grad_())
    return output


class BlocksCall:
    """All blocks of a model in a chain, with every replaced layer for free."""

    def __init__(self, model: nn.Module, anatomy: Anatomy, kept: Kept, pass_: ModelPass) -> None:
        """Make the twin of the blocks, over the weights of ``model``."""
        self.trains = pass_ == "train_step"
        stand_ins = {
            name: Free(kept.like(anatomy.seen[name].input, "gradient"), kept.like(anatomy.seen[name].output, "input"))
            for name in anatomy.layers
        }
        blocks = twin(model, by_name(stand_ins)).get_submodule(anatomy.blocks)
        self.blocks = [(block, anatomy.seen[f"{anatomy.blocks}.{name}"]) for name, block in blocks.named_children()]
        self.first = kept.like(self.blocks[0][1].input, "input")
        self.gradient = kept.like(self.blocks[-1][1].output, "gradient")
        self.cache = next((seen.kwargs[CACHE] for _, seen in self.blocks if seen.kwargs.get(CACHE) is not None), None)
        if self.cache is not None and pass_ == "prefill":  # it is full by now, and a prefill begins with an empty one
            self.cache = type(self.cache)(config=model.config)
        self.kept_cache = None if self.cache is None else snapshot(self.cache)

    def __call__(self) -> object:
        """Every block once."""
        if not self.trains:
            with torch.no_grad():
                hidden = self.chain(self.first)
            if self.cache is not None and self.kept_cache is not None:
                restored(self.cache, self.kept_cache)
            return hidden
        hidden = self.chain(self.first.detach().requires_grad_())
        hidden.backward(self.gradient)  # type: ignore[no-untyped-call]
        for block, _ in self.blocks:
            drop_gradients(block)
        return hidden

    def chain(self, hidden: Tensor) -> Tensor:
        """Every block, called as the model called it."""
        for block, seen in self.blocks:
            options = {**seen.kwargs, **({CACHE: self.cache} if CACHE in seen.kwargs else {})}
            output = (
                block(hidden, *seen.args[1:], **options) if seen.args else block(**{**options, "hidden_states": hidden})
            )
            hidden = output[0] if isinstance(output, tuple) else output
        return hidden


class OutsideCall:
    """The model without its blocks: embedding, what follows the blocks, head and loss."""

    def __init__(self, model: nn.Module, blocks: str, pass_: ModelPass, feed: Feed, cache: Any = None) -> None:
        """Make the twin, over the weights of ``model``; ``cache``: the filled one of ``decode``."""
        self.model = twin(model, by_name({blocks: nn.ModuleList()}))
        self.pass_, self.feed, self.cache = pass_, feed, cache
        self.prefill = Prefill(self.model, feed)

    def __call__(self) -> object:
        """Once through it."""
        if self.pass_ == "prefill":
            return self.prefill()
        if self.pass_ == "decode":
            with torch.no_grad():
                return self.model(input_ids=self.feed.next, past_key_values=self.cache, use_cache=True)
        loss = self.model(input_ids=self.feed.ids, labels=self.feed.ids, **without_cache(self.model)).loss
        loss.backward()
        drop_gradients(self.model)
        return loss


class OptimizerCall:
    """One step of an optimizer, whose state is there, over some of its parameters."""

    def __init__(self, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], gradients: Tensor) -> None:
        """Lay the gradients over one kept tensor."""
        self.optimizer = optimizer
        self.pairs: list[tuple[nn.Parameter, Tensor]] = []
        offset = 0
        for parameter in parameters:
            self.pairs.append((parameter, gradients[offset : offset + parameter.numel()].view_as(parameter)))
            offset += parameter.numel()

    def __call__(self) -> object:
        """One step; a parameter without a gradient is left out by the optimizer, and no gradient is left."""
        for parameter, gradient in self.pairs:
            parameter.grad = gradient
        self.optimizer.step()
        for parameter, _ in self.pairs:
            parameter.grad = None
        return None


def drop_gradients(module: nn.Module) -> None:
    """Forget the gradients of a module."""
    for parameter in module.parameters():
        parameter.grad = None
