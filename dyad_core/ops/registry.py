"""The registry of implementations: ways to compute the same DYAD weight.

Adding one is a matter of one file: put a module into ``dyad_core/ops`` that ends in a call of
:func:`register`. Every public module of the package is imported on start, so the new name appears in
``dyad_linear(implementation=...)``, in the layers, in ``dyad bench --implementations`` and in the
parametrised tests, which hold it against ``reference``.

An implementation is a pure function of tensors. It takes the input flattened to (T, in_features) and
returns (T, out_features); leading dimensions, checks of shapes and autocast are done once, in
:mod:`dyad_core.ops.functional`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from dyad_core.errors import ImplementationError, Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.ops import auto

__all__ = ["AUTO", "Apply", "Implementation", "Layout", "automatic", "choose", "get", "names", "register"]

AUTO = "auto"

Layout = Literal["token_major", "feature_major"]
"""How activations lie in memory: (T, features) contiguous, or its transpose contiguous."""


class Apply(Protocol):
    """The function that computes ``input @ W.T + bias``.

    Shapes: ``input`` (T, in_features) with any strides, T may be 0; ``weight_blockdiag`` and
    ``weight_blocktrans`` (n_blocks, block_out, block_in), the second None for ``bd``; ``bias``
    (out_features,) or None; result (T, out_features). It must be differentiable in every tensor.
    """

    def __call__(
        self,
        input: Tensor,
        weight_blockdiag: Tensor,
        weight_blocktrans: Tensor | None,
        bias: Tensor | None,
        variant: Variant,
        grain: int,
    ) -> Tensor:
        """Compute the layer."""
        ...


def _runs_everywhere(device: torch.device, dtype: torch.dtype) -> str | None:  # noqa: ARG001
    return None


@dataclass(frozen=True)
class Implementation:
    """One way to compute the weight.

    Attributes:
        name: what users write.
        summary: one line for lists and help texts.
        apply: the function, see :class:`Apply`.
        unavailable: given device and dtype, the reason why it cannot run there (what is missing and
            what would help), or None when it can.
        dense_copies: temporaries as large as the dense weight that are alive at once, for estimates of memory.
        activation_copies: temporaries as large as input and output together, beyond one of each.
        tune: measures settings of its own on a device, keeps them and returns a sentence; ``dyad tune`` calls it.
        layout: how it wants its input and gives its output. Every layout computes; the benchmark feeds this one.
    """

    name: str
    summary: str
    apply: Apply
    unavailable: Callable[[torch.device, torch.dtype], str | None] = _runs_everywhere
    dense_copies: int = 0
    activation_copies: int = 0
    layout: Layout = "token_major"
    tune: Callable[[torch.device], str] | None = None


_registered: dict[str, Implementation] = {}


def register(implementation: Implementation) -> Implementation:
    """Add an implementation to the registry and return it.

    Raises:
        ValueError: when the name is taken by another implementation, or is ``"auto"``.
    """
    present = _registered.get(implementation.name)
    if implementation.name == AUTO or (present is not None and present != implementation):
        msg = f"implementation name {implementation.name!r} is taken; choose another"
        raise ValueError(msg)
    _registered[implementation.name] = implementation
    return implementation


def names() -> tuple[str, ...]:
    """Names of all registered implementations, sorted; ``"auto"`` is not among them."""
    return tuple(sorted(_registered))


def get(name: str, device: torch.device | None = None, dtype: torch.dtype = torch.float32) -> Implementation:
    """Return one implementation by name; it may still be unable to run here, see :func:`choose`.

    Args:
        name: of a registered implementation.
        device: where it would run, for the error's list alone; None is the default device.
        dtype: as ``device``.

    Raises:
        SpecError: for an unknown name; the suggestion lists those that run on the device and why the others do not.
    """
    if name not in _registered:
        suggestion = _known(torch.get_default_device() if device is None else device, dtype)
        raise SpecError([Problem("implementation", "must be a registered implementation", name, suggestion)])
    return _registered[name]


def _known(device: torch.device, dtype: torch.dtype) -> str:
    reasons = {name: _registered[name].unavailable(device, dtype) for name in names()}
    running = ", ".join((AUTO, *(name for name, reason in reasons.items() if reason is None)))
    others = "; ".join(f"{name} ({reason})" for name, reason in reasons.items() if reason is not None)
    return f"known: {running}" + (f"; not on this {device.type}: {others}" if others else "")


def choose(name: str, device: torch.device, dtype: torch.dtype, *, shape: auto.Shape | None = None) -> Implementation:
    """Resolve a name, ``"auto"`` included, to an implementation that runs on ``device`` in ``dtype``.

    ``auto`` is what the measured table of :mod:`dyad_core.ops.auto` names for ``shape``; without a shape, and where
    the named one is not registered or cannot run here, it is ``eager``.

    Raises:
        SpecError: for an unknown name.
        ImplementationError: when the named one cannot run there; the message says what is missing.
    """
    if name == AUTO:
        wanted = auto.FALLBACK if shape is None else auto.preferred(device.type, dtype, shape)
        return automatic(wanted, device, dtype)
    implementation = get(name, device, dtype)
    reason = implementation.unavailable(device, dtype)
    if reason is not None:
        msg = f"implementation {implementation.name!r} cannot run on {device} in {dtype}: {reason}"
        raise ImplementationError(msg)
    return implementation


def automatic(wanted: str, device: torch.device, dtype: torch.dtype) -> Implementation:
    """The implementation that a table names, or ``eager`` where that one is not registered or cannot run here."""
    found = _registered.get(wanted)
    return found if found is not None and found.unavailable(device, dtype) is None else get(auto.FALLBACK)
