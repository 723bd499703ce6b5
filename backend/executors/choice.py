"""The executor that the settings name."""

from __future__ import annotations

from backend.executors.base import Executor, ExecutorUnusable
from backend.executors.local import LocalExecutor
from backend.settings import Settings

__all__ = ["executor_for"]


def executor_for(settings: Settings) -> Executor:
    """Make it; nothing is connected before its ``open``.

    Raises:
        ExecutorUnusable: a setting or a package that it needs is missing.
    """
    if settings.executor == "local":
        return LocalExecutor(settings.workers)
    try:
        from backend.executors.ray_executor import RayExecutor
    except ImportError as error:
        raise ExecutorUnusable(
            f"DYAD_EXECUTOR is ray, and {error.name} is not installed: pip install 'dyad-explorer[cluster]'."
        ) from error
    if not settings.ray_address:
        raise ExecutorUnusable(
            "DYAD_EXECUTOR is ray, and DYAD_RAY_ADDRESS does not say where the cluster's head is; for example 127.0.0.1:10001."
        )
    return RayExecutor(settings.ray_address, settings.workers)
