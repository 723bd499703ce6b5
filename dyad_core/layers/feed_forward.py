"""``DyadFeedForward``: fc1, activation, fc2 with DYAD weights, as in a transformer block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import Variant
from dyad_core.layers.linear import DyadLinear, Init
from dyad_core.ops import registry

__all__ = ["Activation", "DyadFeedForward"]

Activation = Literal["relu", "gelu", "silu"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}


class DyadFeedForward(nn.Module):
    r"""Apply fc2(activation(fc1(x))), features → hidden_features → features, both layers DYAD.

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
        output: Tensor = self.fc2(ACTIVATIONS[self.activation](self.fc1(input)))
        return output

    def reset_parameters(self) -> None:
        """Draw new parameters for both layers."""
        self.fc1.reset_parameters()
        self.fc2.reset_parameters()

    def extra_repr(self) -> str:
        """Return the settings shown by ``print(module)``."""
        return f"activation={self.activation!r}"


def _pair(variant: Variant | tuple[Variant, Variant]) -> tuple[Variant, Variant]:
    if isinstance(variant, str):
        return variant, variant
    if isinstance(variant, tuple | list) and len(variant) == 2:
        return variant[0], variant[1]
    raise SpecError([Problem("variant", "must be one variant or a pair (fc1, fc2)", variant)])
