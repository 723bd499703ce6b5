"""Ready filters for ``replace_linear``: the feed-forward layers of known architectures, and names by pattern.

A filter is called with (module, full dotted name) of each linear layer and answers whether to replace it. Those of an
architecture go by the end of the full name, so they fit the bare model as well as one with a head, and never take a layer of
the attention, an embedding's projection or a head.

>>> from dyad_core.surgery import filters
>>> filters.opt_feed_forward(None, "model.decoder.layers.0.fc1")
True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import positive_integer
from dyad_core.surgery.finding import sizes_of

__all__ = [
    "FEED_FORWARD",
    "AtLeast",
    "FilterFn",
    "Named",
    "at_least",
    "bert_feed_forward",
    "feed_forward_of",
    "gpt2_feed_forward",
    "gpt_neox_feed_forward",
    "llama_feed_forward",
    "named",
    "opt_feed_forward",
]

FilterFn = Callable[[nn.Module, str], bool]
"""Called with (module, full dotted name); True asks for the replacement."""

_OPT = re.compile(r"(^|\.)layers\.\d+\.fc[12]$")
_GPT_NEOX = re.compile(r"(^|\.)layers\.\d+\.mlp\.dense_(h_to_4h|4h_to_h)$")
_GPT2 = re.compile(r"(^|\.)h\.\d+\.mlp\.c_(fc|proj)$")
_LLAMA = re.compile(r"(^|\.)layers\.\d+\.mlp\.(gate|up|down)_proj$")
_BERT = re.compile(r"(^|\.)layer\.\d+\.(intermediate|output)\.dense$")


def opt_feed_forward(module: nn.Module, name: str) -> bool:  # noqa: ARG001 - the signature of a filter
    """``fc1`` and ``fc2`` of each decoder layer of OPT."""
    return _OPT.search(name) is not None


def gpt_neox_feed_forward(module: nn.Module, name: str) -> bool:  # noqa: ARG001 - the signature of a filter
    """``dense_h_to_4h`` and ``dense_4h_to_h`` of each layer of GPT-NeoX and Pythia."""
    return _GPT_NEOX.search(name) is not None


def gpt2_feed_forward(module: nn.Module, name: str) -> bool:  # noqa: ARG001 - the signature of a filter
    """``mlp.c_fc`` and ``mlp.c_proj`` of each block of GPT-2, which are ``Conv1D``; the attention's own ``c_proj`` is not one."""
    return _GPT2.search(name) is not None


def llama_feed_forward(module: nn.Module, name: str) -> bool:  # noqa: ARG001 - the signature of a filter
    """``gate_proj``, ``up_proj`` and ``down_proj`` of each layer of Llama and what is built like it (Mistral, Qwen, Gemma)."""
    return _LLAMA.search(name) is not None


def bert_feed_forward(module: nn.Module, name: str) -> bool:  # noqa: ARG001 - the signature of a filter
    """``intermediate.dense`` and ``output.dense`` of each layer of BERT; the attention's ``output.dense`` is not one."""
    return _BERT.search(name) is not None


FEED_FORWARD: Mapping[str, FilterFn] = {
    "opt": opt_feed_forward,
    "gpt_neox": gpt_neox_feed_forward,
    "gpt2": gpt2_feed_forward,
    "gpt_neo": gpt2_feed_forward,
    "gpt_bigcode": gpt2_feed_forward,
    "llama": llama_feed_forward,
    "mistral": llama_feed_forward,
    "qwen2": llama_feed_forward,
    "qwen3": llama_feed_forward,
    "gemma": llama_feed_forward,
    "gemma2": llama_feed_forward,
    "olmo": llama_feed_forward,
    "olmo2": llama_feed_forward,
    "smollm3": llama_feed_forward,
    "stablelm": llama_feed_forward,
    "granite": llama_feed_forward,
    "cohere": llama_feed_forward,
    "bert": bert_feed_forward,
    "roberta": bert_feed_forward,
    "electra": bert_feed_forward,
}
"""The filter of each known architecture, by the ``model_type`` of its ``config.json``."""


def feed_forward_of(model_type: str) -> FilterFn:
    """The filter for the feed-forward layers of an architecture.

    Args:
        model_type: as in a ``config.json``: ``"opt"``, ``"gpt_neox"``, ``"llama"`` …

    Raises:
        SpecError: an unknown architecture; the known ones are listed.
    """
    if isinstance(model_type, str) and model_type in FEED_FORWARD:
        return FEED_FORWARD[model_type]
    rule = f"must be an architecture whose feed-forward layers are known: {', '.join(sorted(FEED_FORWARD))}"
    hint = "name the layers yourself: filters.named('model.layers.*.mlp.*'), or any function of (module, name)"
    raise SpecError([Problem("model_type", rule, model_type, hint)])


@dataclass(frozen=True)
class Named:
    """A filter by patterns of full dotted names; see :func:`named`."""

    patterns: tuple[str, ...]

    def __call__(self, module: nn.Module, name: str) -> bool:  # noqa: ARG002 - the signature of a filter
        """Whether any pattern fits the whole name."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def named(*patterns: str) -> Named:
    """A filter by patterns of full dotted names, as in a shell: ``*`` any characters (dots too), ``?`` one, ``[12]`` a choice.

    A pattern that fits no linear layer of the model is a warning in the report.

    Raises:
        SpecError: no pattern, or one that is not text.

    Example:
        >>> named("model.layers.*.fc[12]")(None, "model.layers.11.fc2")
        True
    """
    rule = "must be patterns of full dotted names, at least one"
    if not patterns:
        raise SpecError([Problem("patterns", rule, patterns, "named('model.layers.*.fc1')")])
    if problems := [Problem("patterns", rule, pattern) for pattern in patterns if not isinstance(pattern, str)]:
        raise SpecError(problems)
    return Named(patterns)


@dataclass(frozen=True)
class AtLeast:
    """A filter by size; see :func:`at_least`."""

    width: int

    def __call__(self, module: nn.Module, name: str) -> bool:  # noqa: ARG002 - the signature of a filter
        """Whether both sizes reach the width."""
        sizes = sizes_of(module)
        return sizes is not None and min(sizes) >= self.width


def at_least(width: int) -> AtLeast:
    """A filter that takes the layers both of whose sizes are at least ``width``.

    It has no default, because where DYAD begins to pay depends on the machine: ``dyad sweep`` measures it on yours.

    Raises:
        SpecError: ``width`` is not a positive integer.
    """
    if (problem := positive_integer("width", width)) is not None:
        raise SpecError([problem])
    return AtLeast(width)
