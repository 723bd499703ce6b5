"""Singular values of a matrix, at the cost of its smaller side.

They are the square roots of the eigenvalues of the smaller Gram matrix (W Wᵀ or Wᵀ W): for 4096 × 16384 that is
0.3 TFLOP for the products and 0.1 for the eigenvalues, a fraction of a full decomposition, and 0.5 GiB.

**Accuracy.** Products are made in float64 up to :data:`FLOAT64_WORK` multiply-adds and in float32 above (eigenvalues
always in float64). Squaring costs half of the digits: a singular value is exact to about its own size
times precision × (largest / itself)². Below ``floor`` = √precision × largest (3.5e-4 of the largest for float32, 1.5e-8
for float64) it is noise, and marked so. Shares of energy are exact to about 1e-6 (float32) or 1e-13 (float64).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dyad_core.weights.loading import LoadedMatrix
from dyad_core.weights.matrix import Scaled, as_scaled
from dyad_core.weights.progress import OnProgress, Reporter
from dyad_core.weights.source import refuse

__all__ = ["MAX_SMALLER_SIDE", "Spectrum", "is_affordable", "scaled_spectrum", "spectrum", "spectrum_work"]

Precision = Literal["float32", "float64"]

FLOAT64_WORK = 2**34
"""Multiply-adds of the Gram matrix (smaller side² × larger side) up to which it is made in float64; 1024² × 16384."""

MAX_SMALLER_SIDE = 8192
"""Longest smaller side whose singular values are computed: eigenvalues cost its cube, 4 s at 4096 and half a minute here."""

FLOAT64_VALUES = 2**26
"""Values up to which the matrix is copied to float64 for that; 512 MiB."""

PANEL = 512
"""Rows of the Gram matrix made at once: progress is told and a stop obeyed between panels."""

SHOWN_VALUES = 512
"""Singular values that ``to_dict`` lists: the first 64, then evenly to the last."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values.

    Attributes:
        values: descending, as many as the smaller side has, float64.
        precision: of the products they come from.
        energy: sum of their squares as the squared Frobenius norm gives it, free of their rounding.
    """

    values: npt.NDArray[np.float64]
    precision: Precision
    energy: float

    @property
    def floor(self) -> float:
        """Below it a value is rounding noise."""
        return float(self.values[0]) * math.sqrt(float(np.finfo(self.precision).eps))

    def captured(self, rank: int) -> float:
        """Share of the energy that the best matrix of this rank keeps, 0 to 1."""
        if rank >= len(self.values) or self.energy == 0:
            return 1.0
        return min(1.0, float(np.square(self.values[:rank]).sum()) / self.energy)

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the energy shares: between 1 and the number of values; 0 for zeros alone."""
        if self.energy == 0:
            return 0.0
        shares = np.square(self.values) / np.square(self.values).sum()
        positive = shares[shares > 0]
        return float(np.exp(-(positive * np.log(positive)).sum()))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values: at most 512 of the singular values, with their index and the energy up to them."""
        count = len(self.values)
        first = np.arange(min(count, 64))
        rest = np.linspace(64, count - 1, SHOWN_VALUES - 64).round().astype(int) if count > 64 else first[:0]
        index = np.unique(np.concatenate([first, rest]))
        cumulative = np.minimum(np.cumsum(np.square(self.values)) / (self.energy or 1.0), 1.0)
        return {
            "count": count,
            "index": index.tolist(),
            "values": self.values[index].tolist(),
            "captured_energy": cumulative[index].tolist(),
            "precision": self.precision,
            "floor": self.floor,
            "effective_rank": self.effective_rank,
        }


def spectrum(
    matrix: Tensor | np.ndarray[Any, Any] | LoadedMatrix,
    *,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Spectrum:
    """Singular values of a matrix; see the module for their accuracy.

    Args:
        matrix: (out_features, in_features).
        on_progress: told before every step.
        cancel: set it to stop before the next step; the eigenvalues, the last step, are one.

    Raises:
        SpecError: a wrong matrix, or a smaller side above 8192.
        OperationCancelled: when ``cancel`` is set.
    """
    scaled = as_scaled(matrix)
    reporter = Reporter(spectrum_work(scaled.values), on_progress, cancel)
    return scaled_spectrum(scaled, reporter)


def is_affordable(values: Tensor) -> bool:
    """Whether the singular values of a matrix of this shape are computed at all."""
    return min(values.shape) <= MAX_SMALLER_SIDE


def spectrum_work(values: Tensor, prefix: str = "") -> dict[str, float]:
    """Weights of the two stages for a :class:`Reporter`; an operation of theirs takes about eight times a product's.

    Raises:
        SpecError: a smaller side above 8192.
    """
    smaller, larger = sorted(values.shape)
    if not is_affordable(values):
        rule = f"singular values are computed up to a smaller side of {MAX_SMALLER_SIDE}"
        refuse("matrix", rule, f"shape {list(values.shape)}", "leave the singular values out (low_rank=False)")
    return {f"{prefix}products": smaller * smaller * larger, f"{prefix}eigenvalues": 8 * 4 / 3 * smaller**3}


def scaled_spectrum(scaled: Scaled, reporter: Reporter, prefix: str = "", what: str = "the matrix") -> Spectrum:
    """Singular values of a checked matrix."""
    values = scaled.values
    smaller, larger = sorted(values.shape)
    small = smaller**2 * larger <= FLOAT64_WORK and values.numel() <= FLOAT64_VALUES
    precision: Precision = "float64" if small else "float32"
    gram = _gram(values, precision, reporter, f"{prefix}products", what)
    stage = f"{prefix}eigenvalues"
    reporter.step(stage, 0, 1, f"eigenvalues of {what}'s {smaller} × {smaller} Gram matrix")
    # torch's float32 eigenvalues cost as much as its float64 ones and are a hundred times less exact than the Gram matrix.
    with one_thread():
        eigenvalues = torch.linalg.eigvalsh(gram).flip(0).clamp_(min=0).numpy()
    reporter.step(stage, 1, 1, f"singular values of {what}")
    return Spectrum(np.sqrt(eigenvalues) * scaled.scale, precision, scaled.energy * scaled.scale**2)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, then as many as before.

    The eigenvalues' steps are short and bound by memory: on two cores that others used too, two threads that wait for each
    other took 12 to 22 s at 4096 where one took 5 s.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _gram(values: Tensor, precision: Precision, reporter: Reporter, stage: str, what: str) -> Tensor:
    """The lower half of the smaller Gram matrix (the eigenvalues need no more), float64, panel by panel."""
    matrix = (values if values.shape[0] <= values.shape[1] else values.T).to(getattr(torch, precision))
    smaller = len(matrix)
    gram = torch.zeros(smaller, smaller, dtype=torch.float64)
    starts = range(0, smaller, PANEL)
    total = len(starts) * (len(starts) + 1) // 2  # panel k is k + 1 times as long as the first
    for index, start in enumerate(starts):
        reporter.step(stage, index * (index + 1) // 2, total, f"products of {what}, panel {index + 1} of {len(starts)}")
        stop = min(start + PANEL, smaller)
        gram[start:stop, :stop] = matrix[start:stop] @ matrix[:stop].T
    reporter.step(stage, total, total, f"products of {what}")
    return gram
