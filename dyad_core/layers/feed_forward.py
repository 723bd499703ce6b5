"""``DyadFeedForward``: fc1, activation, fc2 with DYAD weights, as in a transformer block."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.layers.linear import DyadLinear, Init
from dyad_core.ops import auto, registry
from dyad_core.ops.feed_forward import ACTIVATIONS, PLANNED_TOKENS, Activation, feed_forward
from dyad_core.ops.layout import is_direct

__all__ = ["Activation", "DyadFeedForward"]


class DyadFeedForward(nn.Module):
    r"""Apply fc2(activation(fc1(x))), features → hidden_features → features, both layers DYAD.

    With the implementation ``eager``, or ``auto`` on a CPU, and 32 tokens or more both layers are one function whose hidden activation is
    written once, in the layout in which the second layer reads it (:mod:`dyad_core.ops.feed_forward`). Hooks on
    ``fc1`` or ``fc2``, replaced layers, autocast, compilers and function transforms are served layer by layer.

    Args:
        features: model width.
        hidden_features: hidden width, four times ``features`` in most transformers.
        bias: whether both layers learn a bias.
        device: reaches every parameter.
        dtype: reaches every parameter.
        n_blocks: number of blocks n, dividing both widths.
        variant: one variant for both layers, or a pair (fc1, fc2). When the block is at least n, the pairs
            it→it, ot→ot, dt→dt and ot→it connect every input with every output; it→ot leaves holes (it
            reaches 43/64 of the pairs at n = 4).
        grain: run length of the interleave.
        activation: ``"relu"``, ``"gelu"`` or ``"silu"``.
        init: see :class:`DyadLinear`.
        implementation: a name of the registry, or ``"auto"``.

    Shape:
        - Input and output: :math:`(*, \text{features})`.

    Attributes:
        fc1: :class:`DyadLinear`, features → hidden_features.
        fc2: :class:`DyadLinear`, hidden_features → features.

    Raises:
        SpecError: as :class:`DyadLinear`, or an unknown activation, or a ``variant`` that is neither one nor a pair.

    Example:
        >>> import torch
        >>> DyadFeedForward(96, 384, n_blocks=4)(torch.randn(2, 5, 96)).shape
        torch.Size([2, 5, 96])
    """

    def __init__(
        self,
        features: int,
        hidden_features: int,
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        n_blocks: int = 4,
        variant: Variant | tuple[Variant, Variant] = "it",
        grain: int = 1,
        activation: Activation = "relu",
        init: Init = "paper",
        implementation: str = registry.AUTO,
    ) -> None:
        """Create both layers."""
        super().__init__()
        if activation not in ACTIVATIONS:
            rule = f"must be one of {', '.join(get_args(Activation))}"
            raise SpecError([Problem("activation", rule, activation)])
        first, second = _pair(variant)
        self.activation = activation

        def layer(in_features: int, out_features: int, one: Variant) -> DyadLinear:
            return DyadLinear(
                in_features,
                out_features,
                bias,
                device,
                dtype,
                n_blocks=n_blocks,
                variant=one,
                grain=grain,
                init=init,
                implementation=implementation,
            )

        self.fc1 = layer(features, hidden_features, first)
        self.fc2 = layer(hidden_features, features, second)

    @property
    def features(self) -> int:
        """Model width."""
        return self.fc1.in_features

    @property
    def hidden_features(self) -> int:
        """Hidden width."""
        return self.fc1.out_features

    def forward(self, input: Tensor) -> Tensor:
        """Apply the feed-forward: (*, features) → (*, features)."""
        if self._is_planned(input):
            flat = input.reshape(-1, input.shape[-1]).contiguous()  # (T, features)
            first, second = ((m.weight_blockdiag, m.weight_blocktrans, m.bias) for m in (self.fc1, self.fc2))
            variants = (self.fc1.variant, self.fc2.variant)
            output = feed_forward(flat, first, second, variants, self.fc1.grain, self.activation)
            return output.reshape(input.shape)
        layered: Tensor = self.fc2(ACTIVATIONS[self.activation](self.fc1(input)))
        return layered

    def _is_planned(self, input: Tensor) -> bool:
        """Whether both layers may be computed as one function for this input."""
        if not is_direct():
            return False
        if input.dim() == 0 or input.shape[-1] != self.features or input.numel() < PLANNED_TOKENS * self.features:
            return False
        device_type = input.device.type
        if torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type):
            return False
        layers = (self.fc1, self.fc2)
        if any(type(layer) is not DyadLinear or _has_hooks(layer) for layer in layers):
            return False
        tensors = [parameter for layer in layers for parameter in layer.parameters()]
        if not input.dtype.is_floating_point or any(
            tensor.dtype != input.dtype or tensor.device != input.device for tensor in tensors
        ):
            return False
        kinds = {layer.implementation for layer in layers}
        return kinds == {"eager"} or (kinds <= {"eager", registry.AUTO} and self._auto_is_planned(input))

    def _auto_is_planned(self, input: Tensor) -> bool:
        """Whether ``auto`` means the plan: where nothing else is the standard choice on a CPU, or measured elsewhere."""
        kind, tokens, trains = input.device.type, input.numel() // self.features, torch.is_grad_enabled()
        if kind == "cpu":
            return auto.standard(kind, input.dtype, tokens, trains=trains) == auto.FALLBACK
        shapes = [
            auto.Shape(layer.variant, layer.n_blocks, layer.in_features, layer.out_features, tokens, trains)
            for layer in (self.fc1, self.fc2)
        ]
        return all(auto.preferred(kind, input.dtype, shape) == auto.FALLBACK for shape in shapes)

    def reset_parameters(self) -> None:
        """Draw new parameters for both layers."""
        self.fc1.reset_parameters()
        self.fc2.reset_parameters()

    def extra_repr(self) -> str:
        """Return the settings shown by ``print(module)``."""
        return f"activation={self.activation!r}"


def _has_hooks(layer: nn.Module) -> bool:
    return any(
        getattr(layer, name)
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    )


def _pair(variant: Variant | tuple[Variant, Variant]) -> tuple[Variant, Variant]:
    if isinstance(variant, str):
        return variant, variant
    if isinstance(variant, tuple | list) and len(variant) == 2:
        return variant[0], variant[1]
    raise SpecError([Problem("variant", "must be one variant or a pair (fc1, fc2)", variant)])
