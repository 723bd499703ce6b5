"""What forward keeps for backward, counted by storage as autograd saves it.

A view costs nothing, a view that keeps a larger tensor alive costs all of it, and parameters and buffers cost nothing, for they
are there anyway: the rules of :mod:`dyad_core.bench.memory`, which measures the same on real tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

__all__ = ["SavedBytes", "storage_of"]


class SavedBytes(torch.autograd.graph.saved_tensors_hooks):
    """While it is entered, the bytes of each storage that autograd saves for the first time are handed to ``count``."""

    def __init__(self, count: Callable[[int], None], free: Iterable[Tensor]) -> None:
        """Report to ``count`` all but the storages of ``free``."""
        # Held, not only named: a released storage's place may be taken by another one.
        self._known = {storage_of(tensor): tensor for tensor in free}
        self._count = count
        super().__init__(self._pack, self._unpack)

    def _pack(self, tensor: Tensor) -> Tensor:
        key = storage_of(tensor)
        if key not in self._known:
            self._known[key] = tensor
            self._count(tensor.untyped_storage().nbytes())
        return tensor

    @staticmethod
    def _unpack(tensor: Tensor) -> Tensor:
        return tensor


def storage_of(tensor: Tensor) -> int:
    """Identity of the storage under a tensor, which holds also where no memory is behind it."""
    return int(tensor.untyped_storage()._cdata)
