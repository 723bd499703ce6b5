"""How many operations one call starts, counted in a call of its own that is never timed.

Each costs something before it computes anything: Python, dispatch, on a GPU the launch of a kernel. Times the cost of one
small operation (:attr:`.Ceilings.launch_us`) that is the overhead that no arithmetic explains.

Counted is what reaches torch's dispatcher and may compute: views only describe memory, and empty memory is only taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from dyad_core.bench.candidates import JOINED, Plan
from dyad_core.bench.spec import BenchmarkSpec
from dyad_core.bench.traffic import OWN_KERNELS

__all__ = ["count_operations", "is_countable", "operations_by_name"]

ALLOCATIONS = ("aten::empty", "aten::new_empty")


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch does not type its hooks
    """Notes every operation that is dispatched while it is active, also those of the backward."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note it, and do it."""
        name = func.name().partition(".")[0]
        if not func.is_view and not name.startswith(ALLOCATIONS) and name != "aten::_unsafe_view":
            self.names[name] = self.names.get(name, 0) + 1
        return func(*args, **(kwargs or {}))


def count_operations(call: Callable[[], object]) -> int:
    """Operations of one call; views and allocations are none."""
    return sum(operations_by_name(call).values())


def operations_by_name(call: Callable[[], object]) -> dict[str, int]:
    """The same by name, ``"aten::bmm"``, in the order of first use."""
    counter = Counter()
    with counter:
        call()
    return counter.names


def is_countable(plan: Plan, spec: BenchmarkSpec) -> bool:
    """Whether the operations of a candidate are dispatched one by one: no compiler, no captured graph, no own kernels."""
    own = set(plan.implementation.split(JOINED)) & set(OWN_KERNELS)
    return not (spec.compile or spec.cuda_graph or own)
