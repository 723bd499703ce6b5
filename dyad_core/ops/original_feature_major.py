"""``original_feature_major``: the published formulation as its authors call it, without a transposition at either end.

The input is the (T, in_features) view of a contiguous (in_features, T) matrix, and so is the output of its side: a whole
network in this layout pays for no transposition, a drop-in for ``nn.Linear`` does (see ``original``). Other layouts
compute too, through strides. The benchmark lays operands out in the layout that is declared here.
"""

from __future__ import annotations

from torch import Tensor

from dyad_core.geometry import Variant
from dyad_core.ops.original import product_feature_major
from dyad_core.ops.registry import Implementation, register

__all__ = ["linear_original_feature_major"]


def linear_original_feature_major(
    input: Tensor,
    weight_blockdiag: Tensor,
    weight_blocktrans: Tensor | None,
    bias: Tensor | None,
    variant: Variant,
    grain: int,
) -> Tensor:
    """Compute the layer feature-major; (T, in_features) → (T, out_features), a view of contiguous (out_features, T)."""
    return product_feature_major(input.T, weight_blockdiag, weight_blocktrans, bias, variant, grain).T


register(
    Implementation(
        name="original_feature_major",
        summary="the published formulation as its authors call it: feature-major input and output; to compare with",
        apply=linear_original_feature_major,
        layout="feature_major",
        activation_copies=2,
    )
)
