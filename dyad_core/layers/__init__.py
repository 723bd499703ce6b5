"""Thin ``nn.Module`` classes over :mod:`dyad_core.ops`."""

from dyad_core.layers.feed_forward import DyadFeedForward
from dyad_core.layers.linear import DyadLinear

__all__ = ["DyadFeedForward", "DyadLinear"]
