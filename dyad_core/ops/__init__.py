"""Pure tensor functions: one file per implementation, and the registry that names them.

Importing this package imports every public module in it, so that a new implementation is one new file.
"""

from __future__ import annotations

import importlib
import pkgutil

from dyad_core.ops.functional import dyad_linear
from dyad_core.ops.reference import dense_weight, project_dense

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["dense_weight", "dyad_linear", "project_dense"]
