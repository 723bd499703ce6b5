"""``DyadLinear``: a drop-in for ``nn.Linear`` whose weight has two block-structured components.

A thin module: it owns the parameters and hands them to :func:`dyad_core.ops.dyad_linear`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.layers import checkpoint
from dyad_core.ops import dense_weight, dyad_linear, project_dense, registry

__all__ = ["INITS", "DyadLinear", "Init"]

Init = Literal["paper", "variance_preserving"]
INITS: tuple[Init, ...] = ("paper", "variance_preserving")


class DyadLinear(nn.Module):
    r"""Apply :math:`y = x (W_{diag} + W_{trans})^T + b`, at 2/n of the cost of ``nn.Linear``.

    Args:
        in_features: size of each input sample.
        out_features: size of each output sample.
        bias: whether to learn an additive bias.
        device: as in ``nn.Linear``; reaches every parameter.
        dtype: as in ``nn.Linear``; reaches every parameter.
        n_blocks: number of blocks n (the paper's ``dyad_dim``); must divide both sizes. n < 3 saves nothing.
        variant: ``"it"`` (the paper's default), ``"ot"``, ``"dt"``, or the ablation ``"bd"``.
        grain: run length of the interleave; 1 is the paper.
        init: ``"paper"`` is the original code's U(±1/√in_features), which gives 2/n of the dense output variance (1/n for
            ``bd``): published results start there. ``"variance_preserving"`` multiplies it by √(n/2) (√n for ``bd``)
            and keeps the dense variance; take it in a deep network trained from scratch without normalisation
            between the layers, where the paper's share 2/n is multiplied once per layer.
        implementation: a name of the registry in :mod:`dyad_core.ops`, or ``"auto"``.

    Shape:
        - Input: :math:`(*, H_{in})`, any leading dimensions including none and zero-size.
        - Output: :math:`(*, H_{out})`.

    Attributes:
        weight_blockdiag: (n_blocks, block_out, block_in).
        weight_blocktrans: the same shape; None for ``bd``.
        bias: (out_features,), or None.
        geometry: the :class:`~dyad_core.geometry.DyadGeometry` of the layer.

    Raises:
        SpecError: sizes, n_blocks, variant, grain, init or implementation that do not work, each with
            the rule and the nearest values that do.

    Example:
        >>> import torch
        >>> layer = DyadLinear(768, 3072, n_blocks=4, variant="it")
        >>> layer(torch.randn(2, 16, 768)).shape
        torch.Size([2, 16, 3072])

    Sources: arXiv 2312.06881, section 2; the variants are tabulated in :mod:`dyad_core.geometry`. The two shares of the
    variance follow from counting: an output sums 2·in/n products where a dense one sums in, each of the same variance;
    ``tests/dyad_core/layers/test_initialisation.py`` measures them. That variance should be kept from layer to layer is
    Glorot and Bengio 2010 and He et al., arXiv 1502.01852.
    """

    bias: nn.Parameter | None
    weight_blocktrans: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        n_blocks: int = 4,
        variant: Variant = "it",
        grain: int = 1,
        init: Init = "paper",
        implementation: str = registry.AUTO,
    ) -> None:
        """Check the geometry, create the parameters and initialise them."""
        super().__init__()
        self.geometry = DyadGeometry(in_features, out_features, n_blocks, variant, grain)
        if init not in INITS:
            raise SpecError([Problem("init", f"must be one of {', '.join(INITS)}", init)])
        if implementation != registry.AUTO:
            registry.get(implementation)
        self.in_features = self.geometry.in_features
        self.out_features = self.geometry.out_features
        self.init = init
        self.implementation = implementation
        shape = self.geometry.weight_shape
        self.weight_blockdiag = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        for name, size, present in (
            ("weight_blocktrans", shape, self.geometry.components == 2),
            ("bias", (self.out_features,), bias),
        ):
            parameter = nn.Parameter(torch.empty(size, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, parameter)
        self.reset_parameters()

    @property
    def n_blocks(self) -> int:
        """Number of blocks n."""
        return self.geometry.n_blocks

    @property
    def variant(self) -> Variant:
        """Variant of the structure."""
        return self.geometry.variant

    @property
    def grain(self) -> int:
        """Run length of the interleave."""
        return self.geometry.grain

    def reset_parameters(self) -> None:
        """Draw new weights and bias by the rule ``init`` names.

        The bound 1/√in_features is also ``nn.Linear``'s (kaiming_uniform with a = √5, see
        https://github.com/pytorch/pytorch/issues/57109), so a fresh layer and its dense twin start alike.
        """
        bound = 1 / math.sqrt(self.in_features)
        scale = math.sqrt(self.geometry.limit) if self.init == "variance_preserving" else 1.0
        for weight in (self.weight_blockdiag, self.weight_blocktrans):
            if weight is not None:
                nn.init.uniform_(weight, -bound * scale, bound * scale)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer: (*, in_features) → (*, out_features)."""
        return dyad_linear(
            input,
            self.weight_blockdiag,
            self.weight_blocktrans,
            self.bias,
            variant=self.geometry.variant,
            grain=self.geometry.grain,
            implementation=self.implementation,
        )

    def to_dense(self) -> Tensor:
        """Return the dense weight, (out_features, in_features); differentiable in the parameters."""
        geometry = self.geometry
        return dense_weight(
            self.weight_blockdiag, self.weight_blocktrans, variant=geometry.variant, grain=geometry.grain
        )

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        *,
        n_blocks: int = 4,
        variant: Variant = "it",
        grain: int = 1,
        implementation: str = registry.AUTO,
    ) -> DyadLinear:
        """Return the DYAD layer nearest to a dense one in the Frobenius norm. This is lossy.

        Entries outside the pattern are dropped: for an unstructured weight the relative error is
        √(1-density), 0.75 at n = 4. A position that both components hold is split half and half. Weights
        and bias are copies; dtype, device, ``training`` and ``requires_grad`` carry over, hooks do not.

        Args:
            linear: the dense layer; it is left as it is.
            n_blocks: number of blocks, dividing both sizes.
            variant: structure of the result.
            grain: run length of the interleave.
            implementation: a name of the registry, or ``"auto"``.

        Raises:
            SpecError: the sizes of ``linear`` do not admit this structure.
        """
        layer = cls(
            linear.in_features,
            linear.out_features,
            bias=linear.bias is not None,
            device="meta",
            dtype=linear.weight.dtype,
            n_blocks=n_blocks,
            variant=variant,
            grain=grain,
            implementation=implementation,
        )
        with torch.no_grad():
            blockdiag, blocktrans = project_dense(linear.weight, layer.geometry)
        trains = linear.weight.requires_grad
        layer.weight_blockdiag = nn.Parameter(blockdiag, requires_grad=trains)
        if blocktrans is not None:
            layer.weight_blocktrans = nn.Parameter(blocktrans, requires_grad=trains)
        if linear.bias is not None:
            layer.bias = nn.Parameter(linear.bias.detach().clone(), requires_grad=linear.bias.requires_grad)
        return layer.train(linear.training)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Save as every module does, with the structure in the metadata."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        checkpoint.note(destination, prefix, self.geometry)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load as every module does; a checkpoint of another structure is an error that says both."""
        wrong = checkpoint.mismatch(state_dict, prefix, local_metadata, self.geometry)
        if wrong is not None:
            error_msgs.append(wrong)
            return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def extra_repr(self) -> str:
        """Return the settings shown by ``print(layer)``."""
        geometry = self.geometry
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, "
            f"n_blocks={geometry.n_blocks}, variant={geometry.variant!r}, grain={geometry.grain}, "
            f"init={self.init!r}, implementation={self.implementation!r}"
        )
