"""Is the swapped model the right one? Asked of every candidate before any timing; one that fails gets no speed.

The oracle is the same model with every DYAD layer computed through its dense matrix, in float64. It runs the first tokens of
the first sequence; the candidate runs its real batch, of which those tokens are compared: logits, and for a training step
the loss over them and the gradient of every parameter. With ReLU the gradient jumps at zero, so that one hidden value which
rounds to the other side changes gradients by far more than rounding does, in a correct model too: for the gradients
both sides compute GELU in its place.

The tolerance comes from the machine, not from a table: four times the error that the dense computation of the *same* weights
makes in the same dtype, plus a floor (:func:`dyad_core.bench.correctness.judge`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad_core.bench.correctness import Checked, Quantity, judge
from dyad_core.bench.footprint import human
from dyad_core.bench.machine import host_memory
from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.models.measuring.passes import Decode, Feed, Prefill, has_cache
from dyad_core.models.measuring.twins import twin
from dyad_core.models.spec import ModelPass
from dyad_core.ops.agreement import rounding_floor

__all__ = ["CHECKED_TOKENS", "Densely", "check_model", "densely", "oracle_dtype"]

CHECKED_TOKENS = 128
IGNORED = -100
"""The label of a token that the loss leaves out."""

SMALL_SHARE = 1e-3
"""A gradient is held against its own largest value, but at least this share of the largest of the whole model: some (of the
bias of the keys) are zero but for rounding."""


class Densely(DyadLinear):
    """A DYAD layer computed through its dense matrix, differentiable in its own parameters."""

    def forward(self, input: Tensor) -> Tensor:
        """(*, in_features) → (*, out_features)."""
        return F.linear(input, self.to_dense(), self.bias)


@dataclass(frozen=True)
class Step:
    """What a training step leaves: its loss, and gradients by name."""

    loss: Tensor
    gradients: dict[str, Tensor | None]


def check_model(model: nn.Module, feed: Feed, pass_: ModelPass, *, wider: torch.dtype | None = None) -> Checked:
    """Hold one pass of ``model``, as it is, against the oracle. Gradients are None afterwards, the mode as before.

    Args:
        model: the candidate, on its device and in its dtype.
        feed: what it will be timed with.
        pass_: the pass.
        wider: dtype of the oracle; :func:`oracle_dtype` where not given.
    """
    parameter = next(model.parameters())
    trains = pass_ == "train_step"
    wider = wider or oracle_dtype(model, trains=trains)
    with _without_dropout(model):
        few, labels = _compared(model, feed, pass_)
        plain = densely(model)
        exact = copy.deepcopy(plain).to(wider)
        found = {"logits": Quantity()}
        oracle, same = _logits(exact, few, pass_), _logits(plain, few, pass_)
        found["logits"].add(oracle.double(), _logits(model, feed, pass_)[:1, : oracle.shape[1]], same)
        if trains:
            found |= _gradients(model, exact, feed, few, labels)
    summed = max(few.ids.shape[1], max(max(each.shape) for each in model.parameters()))
    return judge(found, rounding_floor(parameter.dtype, summed))


def oracle_dtype(model: nn.Module, *, trains: bool = True) -> torch.dtype:
    """float64 where a copy of the model with its gradients fits into memory, else float32 for a model of a 16-bit type.

    Raises:
        MemoryError: not even that fits; says the bytes.
    """
    parameters = list(model.parameters())
    count = sum(parameter.numel() for parameter in parameters) * (2 if trains else 1)
    available = _available_bytes(parameters[0].device)
    wider = [torch.float64] if parameters[0].element_size() > 2 else [torch.float64, torch.float32]
    for dtype in wider:
        if available is None or count * dtype.itemsize <= available:
            return dtype
    msg = f"the check needs {human(count * wider[-1].itemsize)} of memory and {human(available or 0)} are available"
    raise MemoryError(msg)


def _available_bytes(device: torch.device) -> int | None:
    if device.type != "cuda":
        return host_memory().available_bytes
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


def densely(model: nn.Module, *, smooth: bool = False) -> nn.Module:
    """The same parameters, every DYAD layer computed through its dense matrix; ``smooth``: GELU in place of ReLU."""

    found = twin(model, dense_layer)
    return twin(found, smooth_activation) if smooth else found


def dense_layer(_: str, module: nn.Module) -> nn.Module | None:
    """What computes a DYAD layer through its dense matrix; None for any other module."""
    if type(module) is not DyadLinear:
        return None
    dense = Densely.__new__(Densely)
    dense.__dict__ = dict(module.__dict__)
    return dense


def smooth_activation(_: str, module: nn.Module) -> nn.Module | None:
    """What computes GELU in place of the ReLU of ``module``; None where it has none."""
    if isinstance(module, nn.ReLU):
        return nn.GELU()
    if isinstance(module, DyadFeedForward) and module.activation == "relu":
        other = copy.copy(module)
        other.activation = "gelu"
        return other
    return None


def _compared(model: nn.Module, feed: Feed, pass_: ModelPass) -> tuple[Feed, Tensor]:
    """What the oracle is fed, and the labels that make the loss of the whole batch that of the same tokens."""
    tokens = feed.ids.shape[1]
    if pass_ == "train_step" and has_cache(model):  # later tokens have no influence on earlier ones
        tokens = min(tokens, CHECKED_TOKENS)
    labels = torch.full_like(feed.ids, IGNORED)
    labels[0, :tokens] = feed.ids[0, :tokens]
    return Feed(feed.ids[:1, :tokens], feed.next[:1]), labels


def _logits(model: nn.Module, feed: Feed, pass_: ModelPass) -> Tensor:
    """(sequences, tokens, vocabulary); of the last token alone in prefill and decode."""
    if pass_ != "train_step":
        logits: Tensor = (Decode if pass_ == "decode" else Prefill)(model, feed)().logits
        return logits
    with torch.no_grad():
        whole: Tensor = model(input_ids=feed.ids).logits
    return whole


def _gradients(model: nn.Module, exact: nn.Module, feed: Feed, few: Feed, labels: Tensor) -> dict[str, Quantity]:
    """Loss and gradients of the compared tokens, of the candidate, its dense twin and the oracle, all with GELU for ReLU."""
    smooth = twin(model, smooth_activation)
    length = few.ids.shape[1]
    oracle = _step(twin(exact, smooth_activation), few.ids, labels[:1, :length])
    same = _step(densely(model, smooth=True), few.ids, labels[:1, :length])
    mine = _step(smooth, feed.ids, labels)
    largest = max((float(each.abs().max()) for each in oracle.gradients.values() if each is not None), default=0.0)
    found = {"loss": Quantity()}
    found["loss"].add(oracle.loss.double(), mine.loss, same.loss)
    for name, gradient in oracle.gradients.items():
        if gradient is None:  # a parameter that the loss does not depend on
            continue
        quantity = found[f"gradient of {name}"] = Quantity(largest=SMALL_SHARE * largest)
        got = mine.gradients[name]
        quantity.add(
            gradient.double(),
            torch.full_like(gradient, torch.nan) if got is None else got,
            same.gradients[name],
        )
    return found


def _step(model: nn.Module, ids: Tensor, labels: Tensor) -> Step:
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = None
    return Step(loss.detach(), gradients)


@contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    """No dropout while a model is checked."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
