"""Which server runs a job, in a form from which any other server can tell, at least sometimes, that it is gone."""

from __future__ import annotations

import functools
from pathlib import Path

from dyad_core.bench.tree import is_orphaned, make_mark

__all__ = ["is_gone", "this_server"]

BOOT = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def this_server() -> str:
    """Identity of this process: the start of its system, its number, when it started, what numbers it."""
    return f"{_boot()}.{make_mark()}"


def is_gone(server: str | None) -> bool:
    """Whether a server has certainly ended; False also where that cannot be told: on another machine, in another container."""
    boot, _, mark = (server or "").partition(".")
    return bool(mark) and boot == _boot() and is_orphaned(mark)


def _boot() -> str:
    try:
        return BOOT.read_text(encoding="ascii").strip().replace("-", "")
    except OSError:  # not Linux
        return "unknown"
