"""Entering DYAD into transformers' registry of quantizers, without importing transformers for it.

Importing transformers' registry takes seconds, which a service that only asks about models should not pay. So the entry is made at
once where transformers is there already, and else as soon as somebody imports it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

__all__ = ["register_with_transformers"]

REGISTRY = "transformers.quantizers.auto"


def register_with_transformers() -> None:
    """Make ``from_pretrained`` know DYAD layers, now or when transformers' registry is imported; asking again does nothing."""
    if REGISTRY in sys.modules:
        _register()
    elif not any(isinstance(finder, _Waiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiting())


def _register() -> None:
    # Importing it makes the entry.
    importlib.import_module("dyad_core.models.persistence.quantizer")


class _Waiting(importlib.abc.MetaPathFinder):
    """Waits for the import of the registry, finds it as it would have been found, and leaves."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the signature of a finder
        target: types.ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)
        return spec


class _Registering(importlib.abc.Loader):
    """Loads the registry as its own loader does, then enters DYAD."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        created: types.ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        _register()
