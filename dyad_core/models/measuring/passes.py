"""The passes of a model as closures without arguments, alike for the dense model and every candidate.

Making a closure does all set-up, so that only the call itself is ever timed. Random tokens are as good as text: no
product of a model takes another time for other numbers.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dyad_core.models.spec import ModelPass, ModelSpec

__all__ = [
    "Decode",
    "Feed",
    "Prefill",
    "TrainStep",
    "cache_tensors",
    "has_cache",
    "make_pass",
    "mode_for",
    "restored",
    "snapshot",
    "without_cache",
]


@dataclass(frozen=True)
class Feed:
    """What every model of a run is fed.

    Attributes:
        ids: (batch, sequence) tokens.
        next: (batch, 1) the token that ``decode`` adds behind them.
    """

    ids: Tensor
    next: Tensor

    @classmethod
    def draw(cls, spec: ModelSpec, vocab_size: int) -> Feed:
        """Draw tokens from the seed of the request."""
        generator = torch.Generator().manual_seed(spec.seed)
        drawn = torch.randint(0, vocab_size, (spec.batch, spec.sequence + 1), generator=generator).to(spec.device)
        return cls(drawn[:, :-1].contiguous(), drawn[:, -1:].contiguous())


class TrainStep:
    """Forward, loss, backward and the optimizer's step; gradients are dropped at the end, inside the call."""

    def __init__(self, model: nn.Module, feed: Feed, optimizer: torch.optim.Optimizer | None) -> None:
        """Prepare; calls nothing."""
        self.model, self.feed, self.optimizer = model, feed, optimizer

    def __call__(self) -> object:
        """One step."""
        loss = self.untimed()
        for parameter in self.model.parameters():
            parameter.grad = None
        return loss

    def untimed(self) -> Tensor:
        """The step with its gradients left in place; returns the loss."""
        loss: Tensor = self.model(input_ids=self.feed.ids, labels=self.feed.ids, **without_cache(self.model)).loss
        loss.backward()  # type: ignore[no-untyped-call]
        if self.optimizer is not None:
            self.optimizer.step()
        return loss.detach()


class Prefill:
    """A forward without gradients that fills a new cache and computes the logits of the last token, as ``generate`` begins.

    A model without a cache (BERT) computes all logits.
    """

    def __init__(self, model: nn.Module, feed: Feed) -> None:
        """Prepare; calls nothing."""
        self.model, self.feed = model, feed
        self.options: dict[str, Any] = {"use_cache": True} if has_cache(model) else {}
        if "logits_to_keep" in inspect.signature(model.forward).parameters:
            self.options["logits_to_keep"] = 1

    def __call__(self) -> Any:
        """One prefill; returns the model's output."""
        with torch.no_grad():
            return self.model(input_ids=self.feed.ids, **self.options)

    def untimed(self) -> list[Tensor]:
        """The same; returns logits and the tensors of the cache."""
        output = self()
        return [output.logits, *cache_tensors(output.get("past_key_values"))]


class Decode:
    """One more token behind the cached ones. The cache is put back after each call, so that it never grows."""

    def __init__(self, model: nn.Module, feed: Feed) -> None:
        """Fill the cache."""
        self.model, self.feed = model, feed
        self.cache = Prefill(model, feed)().past_key_values
        self.kept = snapshot(self.cache)

    def __call__(self) -> Any:
        """One token for each sequence; returns the model's output."""
        with torch.no_grad():
            output = self.model(input_ids=self.feed.next, past_key_values=self.cache, use_cache=True)
        restored(self.cache, self.kept)
        return output

    def untimed(self) -> list[Tensor]:
        """The same; returns the logits."""
        return [self().logits]


def make_pass(
    pass_: ModelPass, model: nn.Module, feed: Feed, optimizer: torch.optim.Optimizer | None = None
) -> TrainStep | Prefill | Decode:
    """The closure of one pass; fills the cache where the pass needs one."""
    if pass_ == "train_step":
        return TrainStep(model, feed, optimizer)
    return Prefill(model, feed) if pass_ == "prefill" else Decode(model, feed)


def mode_for(pass_: ModelPass, model: nn.Module, *, checkpointing: bool) -> None:
    """Put the model into training or inference mode, with gradient checkpointing in training where it is asked for."""
    trains = pass_ == "train_step"
    model.train(trains)
    switch: Callable[..., None]
    if trains and checkpointing:
        switch = model.activation_checkpointing_enable  # type: ignore[assignment]
        switch(activation_checkpointing_kwargs={"use_reentrant": False})
    elif any(getattr(module, "gradient_checkpointing", False) for module in model.modules()):
        switch = model.activation_checkpointing_disable  # type: ignore[assignment]
        switch()


def has_cache(model: nn.Module) -> bool:
    """Whether the model decodes token by token behind a cache."""
    return "past_key_values" in inspect.signature(model.forward).parameters


def snapshot(cache: Any) -> list[dict[str, Any]]:
    """The state of every layer of a cache. Its tensors are not copied: a growing cache makes new ones."""
    return [copy.copy(layer.__dict__) for layer in cache.layers]


def restored(cache: Any, kept: list[dict[str, Any]]) -> None:
    """Put a cache back to a snapshot of it."""
    for layer, state in zip(cache.layers, kept, strict=True):
        layer.__dict__.update(state)


def cache_tensors(cache: Any) -> list[Tensor]:
    """Keys and values of every layer; none without a cache."""
    if cache is None:
        return []
    return [value for layer in cache.layers for value in layer.__dict__.values() if isinstance(value, Tensor)]


def without_cache(model: nn.Module) -> dict[str, Any]:
    """What a training step tells the model."""
    return {"use_cache": False} if has_cache(model) else {}
