"""DYAD layers for PyTorch: the layer, its exact structure, and its honest measurement.

>>> from dyad_core import DyadLinear
>>> DyadLinear(768, 3072, n_blocks=4).geometry.limit
2.0
"""

from dyad_core._version import __version__
from dyad_core.errors import DyadError, ImplementationError, OperandError, Problem, SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.layers import DyadFeedForward, DyadLinear
from dyad_core.ops import dyad_linear
from dyad_core.surgery import replace_linear

__all__ = [
    "DyadError",
    "DyadFeedForward",
    "DyadGeometry",
    "DyadLinear",
    "ImplementationError",
    "OperandError",
    "Problem",
    "SpecError",
    "__version__",
    "dyad_linear",
    "replace_linear",
]
