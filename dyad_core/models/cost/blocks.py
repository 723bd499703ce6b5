"""The repeated blocks of a model: run twice, and counted as often as they are there.

A transformer of 96 layers costs what its first layer costs and 95 times the second; what layers share (a mask, the angles of
rotary embeddings) is saved with the first alone. Layers are alike when their modules, sizes and settings are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from dyad_core.geometry import DyadGeometry
from dyad_core.models.cost.tally import BlockCost, Tally

__all__ = ["blocks_of", "repeated"]

_POSITIONS = frozenset({"layer_idx", "layer_id", "layer_index", "layer_number", "block_idx", "training"})
"""Settings that say which layer it is, not what it is."""

RUN = 2


@dataclass
class _Group:
    """Blocks that are alike: what each run cost, and what the last returned."""

    costs: list[BlockCost] = field(default_factory=list)
    result: Any = None


def blocks_of(model: nn.Module) -> dict[str, nn.Module]:
    """The blocks by dotted name: members of each list of modules that is in no other."""
    found: dict[str, nn.Module] = {}
    lists: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(f"{outer}.") for outer in lists):
            lists.append(name)
            found |= {f"{name}.{index}": child for index, child in enumerate(module)}
    return found


@contextmanager
def repeated(model: nn.Module, tally: Tally) -> Iterator[None]:
    """Let each block of ``model`` run twice at most meanwhile; the others return what the second returned."""
    groups: dict[Hashable, _Group] = {}
    with ExitStack() as undo:
        for name, block in blocks_of(model).items():
            group = groups.setdefault(_signature(block), _Group())
            block.forward = _forward(block.forward, name, group, tally)
            undo.callback(delattr, block, "forward")
        yield


def _forward(run: Callable[..., Any], name: str, group: _Group, tally: Tally) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        if len(group.costs) < RUN:
            before = tally.mark()
            group.result = run(*args, **kwargs)
            group.costs.append(tally.since(before, name, _input_bytes(*args, *kwargs.values())))
        else:
            tally.repeat(group.costs[-1], name)
        return group.result

    return forward


def _input_bytes(*arguments: Any) -> int:
    """Bytes of the hidden states: the first floating-point tensor that a block is given."""
    tensors = (each for each in arguments if isinstance(each, Tensor) and each.is_floating_point())
    return next((each.untyped_storage().nbytes() for each in tensors), 0)


def _signature(block: nn.Module) -> Hashable:
    """Everything about a block that its cost may depend on."""
    return tuple((name, type(module), _settings(module)) for name, module in block.named_modules())


def _settings(module: nn.Module) -> Hashable:
    plain = tuple(
        (key, value)
        for key, value in sorted(vars(module).items())
        if key not in _POSITIONS and (value is None or isinstance(value, bool | int | float | str | DyadGeometry))
    )
    own = [*module._parameters.items(), *module._buffers.items()]
    return plain, tuple((name, tensor.shape, tensor.dtype) for name, tensor in own if tensor is not None)
