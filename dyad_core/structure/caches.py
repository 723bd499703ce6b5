"""The small matrices that structure answers keep, in one place to be forgotten."""

from __future__ import annotations

from dyad_core.structure import classes, counts, reach

__all__ = ["clear_caches"]


def clear_caches() -> None:
    """Forget every kept matrix, so that the next answer costs what a first one costs."""
    for kept in (classes.classes, classes.representatives, counts._shared, reach.link, reach._classes):
        kept.cache_clear()
