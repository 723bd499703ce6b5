"""The repeated blocks of a model: run twice, and counted as often as they are there.

A transformer of 96 layers costs what its first layer costs and 95 times the second; what layers share (a mask, the angles of
rotary embeddings) is saved with the first alone. Layers are alike when their modules, sizes and settings are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from dyad_core.geometry import DyadGeometry
from dyad_core.models.cost.tally import BlockCost, Tally

__all__ = ["Group", "block_groups", "names_run", "repeated"]

_POSITIONS = frozenset({"layer_idx", "layer_id", "layer_index", "layer_number", "block_idx", "training"})
"""Settings that say which layer it is, not what it is."""

RUN = 2


@dataclass
class Group:
    """Blocks that are alike, by dotted name, in the order of the model."""

    blocks: dict[str, nn.Module] = field(default_factory=dict)

    @property
    def run(self) -> tuple[str, ...]:
        """Those that are run; the others cost what the last of these does."""
        return tuple(self.blocks)[:RUN]


def block_groups(model: nn.Module) -> list[Group]:
    """The blocks of a model, members of each list of modules that is in no other, alike ones together."""
    groups: dict[Hashable, Group] = {}
    lists: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(f"{outer}.") for outer in lists):
            lists.append(name)
            for index, block in enumerate(module):
                groups.setdefault(_signature(block), Group()).blocks[f"{name}.{index}"] = block
    return list(groups.values())


def names_run(model: nn.Module, groups: Sequence[Group]) -> set[str]:
    """Names of all modules but those in blocks that are not run."""
    left = {id(block) for group in groups for name, block in group.blocks.items() if name not in group.run}
    found, waiting = set(), [("", model)]
    while waiting:
        name, module = waiting.pop()
        found.add(name)
        children = ((f"{name}.{key}" if name else key, child) for key, child in module.named_children())
        waiting += [(child_name, child) for child_name, child in children if id(child) not in left]
    return found


@contextmanager
def repeated(groups: Sequence[Group], tally: Tally) -> Iterator[None]:
    """Let two blocks of each group run meanwhile; the others return what the second returned."""
    with ExitStack() as undo:
        for group in groups:
            done = _Done()
            for name, block in group.blocks.items():
                block.forward = _forward(block.forward, name, done, tally)
                undo.callback(delattr, block, "forward")
        yield


@dataclass
class _Done:
    """What each run of a group cost, and what the last returned."""

    costs: list[BlockCost] = field(default_factory=list)
    result: Any = None


def _forward(run: Callable[..., Any], name: str, done: _Done, tally: Tally) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        if len(done.costs) < RUN:
            before = tally.mark()
            done.result = run(*args, **kwargs)
            done.costs.append(tally.since(before, name, _input_bytes(*args, *kwargs.values())))
        else:
            tally.repeat(done.costs[-1], name)
        return done.result

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
