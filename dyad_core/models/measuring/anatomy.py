"""Where the blocks of a model are, what it calls in them, and with which arguments: found by watching one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dyad_core.models.measuring.passes import Feed, make_pass, without_cache
from dyad_core.models.spec import ModelPass

__all__ = ["Anatomy", "Seen", "find_blocks", "is_activation", "watch"]

ACTIVATIONS = ("torch.nn.modules.activation", "transformers.activations")
"""Modules of these files compute one value from one value."""


@dataclass
class Seen:
    """One module as the pass called it: what came in and went out, cut off from its graph."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Tensor

    @property
    def input(self) -> Tensor:
        """The hidden values that came in."""
        value = self.args[0] if self.args else self.kwargs["hidden_states"]
        if not isinstance(value, Tensor):
            msg = "a layer takes a tensor first"
            raise TypeError(msg)
        return value


@dataclass
class Anatomy:
    """A model taken apart for one pass.

    Attributes:
        blocks: full dotted name of the list of blocks.
        replaced: names of the linear layers that DYAD replaces.
        seen: modules by name, in the order of their calls: every block, replaced layer and activation inside a block.
    """

    blocks: str
    replaced: tuple[str, ...]
    seen: dict[str, Seen] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the replaced layers and of the activations between those of one block, in the order of their calls."""
        found: list[str] = []
        for block in self.held:
            inside = [name for name in self.seen if name.startswith(f"{block}.")]
            places = [place for place, name in enumerate(inside) if name in self.replaced]
            found += inside[places[0] : places[-1] + 1] if places else []
        return tuple(found)

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the blocks that hold a replaced layer."""
        depth = self.blocks.count(".") + 2
        return tuple(dict.fromkeys(".".join(name.split(".")[:depth]) for name in self.replaced))


def find_blocks(model: nn.Module, replaced: Iterable[str]) -> str | None:
    """The outermost list of modules that holds every replaced layer; None where there is none."""
    names = list(replaced)
    lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList) and len(module)]
    holding = [each for each in lists if all(name.startswith(f"{each}.") for name in names)]
    return min(holding, key=len, default=None)


def watch(model: nn.Module, pass_: ModelPass, feed: Feed, replaced: Iterable[str], blocks: str) -> Anatomy:
    """Run one pass of ``model`` and note what its blocks, replaced layers and activations are called with."""
    found = Anatomy(blocks, tuple(replaced))
    depth = blocks.count(".") + 1
    wanted = {
        name: module
        for name, module in model.named_modules()
        if name in found.replaced
        or (name.startswith(f"{blocks}.") and (name.count(".") == depth or is_activation(module)))
    }
    run = run_once(pass_, model, feed)
    with ExitStack() as stack:
        for name, module in wanted.items():
            stack.callback(_noting(module, name, found.seen).remove)
        run()
    return found


def run_once(pass_: ModelPass, model: nn.Module, feed: Feed) -> Callable[[], object]:
    """The forward of a pass; of a training step without its loss."""
    if pass_ != "train_step":
        return make_pass(pass_, model, feed)
    return lambda: model(input_ids=feed.ids, **without_cache(model))


def is_activation(module: nn.Module) -> bool:
    """Whether the module is an activation function."""
    return type(module).__module__ in ACTIVATIONS and not list(module.children())


def _noting(module: nn.Module, name: str, seen: dict[str, Seen]) -> RemovableHandle:
    def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if name not in seen and isinstance(first, Tensor):
            cut = tuple(_cut(value) for value in args)
            seen[name] = Seen(cut, {key: _cut(value) for key, value in kwargs.items()}, first.detach())

    return module.register_forward_hook(note, with_kwargs=True)


def _cut(value: Any) -> Any:
    """The same value outside of any graph."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, tuple):
        return tuple(_cut(each) for each in value)
    return value
