"""Peers: structured layers that are not DYAD, with the parameters of a DYAD of n blocks, to be compared with.

``low_rank`` is two thin products; ``monarch`` is the two-factor Monarch layer (arXiv 2204.00595) of the package
torch-structured, used as it is published. Each can also be read as rows of the dense matrix it stands for, from its
definition and not through its forward: that is what the oracle holds it against.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad_core.bench.spec import Peer

__all__ = [
    "FactoredLinear",
    "LowRankLinear",
    "MonarchLinear",
    "build_peer",
    "equal_rank",
    "monarch_blocks",
    "peer_parameters",
    "unavailable",
]


class FactoredLinear(nn.Module, ABC):
    """A linear layer whose dense weight is a product of smaller factors."""

    in_features: int
    out_features: int
    bias: nn.Parameter

    @abstractmethod
    def reset_parameters(self) -> None:
        """Draw all parameters anew."""

    @abstractmethod
    def factors(self) -> tuple[nn.Parameter, ...]:
        """The weight parameters, without the bias."""

    @abstractmethod
    def dense_rows(self, index: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """Rows of the dense weight that ``factors`` make, (len(index), in_features); differentiable in them."""


class LowRankLinear(FactoredLinear):
    """y = U (V x) + b with U (out, rank) and V (rank, in)."""

    def __init__(
        self, in_features: int, out_features: int, rank: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Create and initialise the parameters, U(±1/√fan_in) each as in ``nn.Linear``."""
        super().__init__()
        self.in_features, self.out_features, self.rank = in_features, out_features, rank
        self.narrow = nn.Parameter(torch.empty(rank, in_features, device=device, dtype=dtype))
        self.wide = nn.Parameter(torch.empty(out_features, rank, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        for parameter, fan_in in (
            (self.narrow, self.in_features),
            (self.wide, self.rank),
            (self.bias, self.in_features),
        ):
            nn.init.uniform_(parameter, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer: (*, in_features) → (*, out_features)."""
        return F.linear(F.linear(input, self.narrow), self.wide, self.bias)

    def factors(self) -> tuple[nn.Parameter, ...]:
        """U and V."""
        return self.wide, self.narrow

    def dense_rows(self, index: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """Rows of U V."""
        wide, narrow = factors
        return wide[index] @ narrow


class MonarchLinear(FactoredLinear):
    """The Monarch layer of torch-structured: block-diagonal, interleave, block-diagonal, interleave."""

    def __init__(
        self, in_features: int, out_features: int, blocks: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Build the published layer; it ignores dtype and device for its weights, so it is moved afterwards."""
        super().__init__()
        self.in_features, self.out_features, self.blocks = in_features, out_features, blocks
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about optional CUDA extensions and torch's older names
            published = importlib.import_module("torch_structured.monarch.monarch_linear")
        self.layer = published.MonarchLinear(in_features, out_features, nblocks=blocks).to(device=device, dtype=dtype)
        self.bias = self.layer.bias

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer: (*, in_features) → (*, out_features)."""
        output: Tensor = self.layer(input)
        return output

    def reset_parameters(self) -> None:
        """As the published layer does."""
        self.layer.reset_parameters()

    def factors(self) -> tuple[nn.Parameter, ...]:
        """First factor (blocks, q, p) and second (blocks, s, r), p = q = r = in_features / blocks."""
        return self.layer.w1, self.layer.w2

    def dense_rows(self, index: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """Rows by the definition: output s·blocks + l sums w2[l, s, r] times row r·blocks + l of the first factor."""
        first, second = factors
        blocks, q, p = first.shape
        parts, order = [], []
        for block in range(blocks):
            (place,) = torch.nonzero(index % blocks == block, as_tuple=True)
            middle = torch.arange(second.shape[2], device=index.device) * blocks + block  # (r,)
            columns = (middle // q * p)[:, None] + torch.arange(p, device=index.device)  # (r, p)
            zeros = torch.zeros(len(middle), self.in_features, dtype=first.dtype, device=index.device)
            rows = zeros.scatter(1, columns, first[middle // q, middle % q])  # (r, in)
            parts.append(second[block, index[place] // blocks] @ rows)
            order.append(place)
        return torch.cat(parts)[torch.cat(order).argsort()]


def equal_rank(in_features: int, out_features: int, n_blocks: int) -> int:
    """The largest rank whose two factors have at most the parameters of a DYAD of n blocks; at least 1."""
    return max(1, 2 * in_features * out_features // (n_blocks * (in_features + out_features)))


def monarch_blocks(in_features: int, out_features: int, n_blocks: int) -> int:
    """The number of blocks that divides both sizes and whose parameters are nearest to a DYAD's, as a ratio.

    b blocks have in·(in + out)/b parameters; a number that does not divide would pay for padding.
    """
    common = math.gcd(in_features, out_features)
    exact = n_blocks * (in_features + out_features) / (2 * out_features)
    dividing = [blocks for blocks in range(1, common + 1) if common % blocks == 0]
    return min(dividing, key=lambda blocks: abs(math.log(blocks / exact)))


def peer_parameters(peer: Peer, in_features: int, out_features: int, n_blocks: int) -> int:
    """Weights of one layer without bias."""
    if peer == "low_rank":
        return equal_rank(in_features, out_features, n_blocks) * (in_features + out_features)
    return in_features * (in_features + out_features) // monarch_blocks(in_features, out_features, n_blocks)


def unavailable(peer: Peer) -> str:
    """Why a peer cannot be built here, with the command that helps; empty when it can."""
    if peer == "low_rank":
        return ""
    missing = [name for name in ("torch_structured", "triton") if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    # torch-structured 1.3.0 imports triton at once, on a CPU too, without declaring it.
    names = " and ".join(name.replace("_", "-") for name in missing)
    return f"monarch needs {names}, not installed here: pip install torch-structured triton"


def build_peer(
    peer: Peer, in_features: int, out_features: int, n_blocks: int, device: torch.device, dtype: torch.dtype
) -> FactoredLinear:
    """Build one layer with the parameters of a DYAD of n blocks, or as near as its structure allows."""
    if peer == "low_rank":
        rank = equal_rank(in_features, out_features, n_blocks)
        return LowRankLinear(in_features, out_features, rank, device, dtype)
    blocks = monarch_blocks(in_features, out_features, n_blocks)
    return MonarchLinear(in_features, out_features, blocks, device, dtype)
