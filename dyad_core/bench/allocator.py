"""How the measuring process gets its memory: a choice of the request, alike for both sides, and part of the record.

The C library hands large freed blocks back to the system and faults them in again, page by page, on the next call: at
many tokens that costs more than DYAD's copies do. A program that keeps its memory does not pay it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dyad_core.bench.spec import Allocator

__all__ = ["ALLOCATOR_VARIABLES", "SETTINGS", "read_allocator"]

ALLOCATOR_VARIABLES = (
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "THP_MEM_ALLOC_ENABLE",
    "LD_PRELOAD",
    "GLIBC_TUNABLES",
    "MALLOC_CONF",
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
)
"""Environment variables that change how memory is allocated, and with it the figures of both sides."""

SETTINGS: Mapping[Allocator, Mapping[str, str]] = MappingProxyType(
    {
        "default": MappingProxyType({}),
        # glibc caps the size from which it maps blocks of their own at 32 MiB, so mapping is turned off; then nothing is
        # given back below 16 GiB. Counted, 4096 tokens 1024→4096: from 32770 page faults a call to 6554 over five calls, the first included.
        "keep_pages": MappingProxyType(
            {
                "MALLOC_MMAP_MAX_": "0",
                "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
                "MALLOC_TOP_PAD_": str(64 << 20),
            }
        ),
    }
)
"""What each choice sets in the environment of the measuring process."""

PRELOADED = ("jemalloc", "tcmalloc", "mimalloc")


def read_allocator(root: Path = Path("/"), variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """What decides here how a process gets memory: variables that are set, huge pages, another allocator.

    ``variables`` are those of the process that is meant; this one's when not given.

    Keys beside the variables' names: ``transparent_huge_pages`` (the system's mode) and ``library`` (what is mapped in
    place of the C library's allocator). What cannot be read is left out.
    """
    variables = os.environ if variables is None else variables
    found = {name: variables[name] for name in ALLOCATOR_VARIABLES if name in variables}
    modes = _text(root / "sys/kernel/mm/transparent_hugepage/enabled")
    if "[" in modes:
        found["transparent_huge_pages"] = modes.partition("[")[2].partition("]")[0]
    mapped = _text(root / "proc/self/maps")
    libraries = [name for name in PRELOADED if f"lib{name}" in mapped]
    if libraries:
        found["library"] = ", ".join(libraries)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
