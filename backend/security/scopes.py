"""What a request may do: every address and method asks for one of two scopes, or for none.

``read`` looks and computes, ``run`` also queues, cancels, deletes, imports and uploads. An address that is not named here
is decided by its method, and a method that changes something needs ``run``: what is added later is closed, not open.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OPEN", "READING_POSTS", "Scope", "needed", "satisfies"]


class Scope(StrEnum):
    """How much a token may do; ``run`` includes ``read``."""

    READ = "read"
    RUN = "run"


HEALTH = frozenset({"/healthz", "/readyz"})
OPEN = HEALTH | {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
"""Whoever supervises the service has no token, and the description of the interface holds no data."""

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
READING_POSTS = frozenset(
    {
        *(f"/api/v1/structure/{name}" for name in ("advice", "connectivity", "pattern", "reachability")),
        "/api/v1/models/estimate",
        "/api/v1/verdicts",
    }
)
"""Computations that keep nothing; they are POST because their questions do not fit into an address."""


def needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs; None where everybody may ask."""
    if path in OPEN:
        return None
    if method in READING_METHODS or (method == "POST" and path in READING_POSTS):
        return Scope.READ
    return Scope.RUN


def satisfies(held: Scope, wanted: Scope) -> bool:
    """Whether a token with the scope ``held`` may do what needs ``wanted``."""
    return held is Scope.RUN or wanted is Scope.READ
