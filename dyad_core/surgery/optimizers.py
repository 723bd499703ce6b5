"""Optimizers that were made before a replacement: they hold the parameters that go, and would train nothing in the new ones."""

from __future__ import annotations

import gc
from collections.abc import Iterable

from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["stale_optimizers"]


def stale_optimizers(modules: Iterable[nn.Module]) -> str | None:
    """One sentence that names the live optimizers which hold parameters of ``modules``, or None.

    Nothing links a parameter to its optimizer, so all objects of the process are looked through. Parameters on ``meta``
    are trained by nobody and not looked for.
    """
    parameters = {id(p) for module in modules for p in module.parameters() if p.device.type != "meta"}
    if not parameters or not _holding(parameters):
        return None
    # What only waits to be collected would be a false alarm.
    gc.collect()
    found = _holding(parameters)
    if not found:
        return None
    names = ", ".join(dict.fromkeys(name for name, _ in found))
    held = max(count for _, count in found)
    return (
        f"an optimizer made before ({names}) holds {held} of the parameters that are replaced here, and would train "
        "nothing in the new layers: make it anew from model.parameters()"
    )


def _holding(parameters: set[int]) -> list[tuple[str, int]]:
    """Class and number of held parameters of each live optimizer that holds any."""
    found = []
    for thing in gc.get_objects():
        # By its type: asking a lazy proxy for its __class__ can import a package.
        if issubclass(type(thing), Optimizer):
            held = [p for group in getattr(thing, "param_groups", ()) for p in group.get("params", ())]
            count = sum(isinstance(p, Tensor) and id(p) in parameters for p in held)
            if count:
                found.append((type(thing).__name__, count))
    return found
