"""What the OpenAPI document says about tokens: a bearer scheme, and the scope that each address needs."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from backend.security.scopes import needed

__all__ = ["SCHEME", "describe"]

SCHEME = "token"
_DESCRIPTION = (
    "A token of this service, as DYAD_API_TOKEN or from `dyad tokens create`. A service without any asks for none. "
    "`read` looks and computes; `run` also queues, cancels, deletes, imports and uploads."
)
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})


def describe(app: FastAPI) -> None:
    """Let the document of ``app`` name the scheme; it is made when it is first asked for."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        if SCHEME not in schemes:
            schemes[SCHEME] = {"type": "http", "scheme": "bearer", "description": _DESCRIPTION}
            for path, operations in document["paths"].items():
                for method in _METHODS & operations.keys():
                    scope = needed(method.upper(), path)
                    # The empty alternative: a service without tokens takes requests without one.
                    operations[method]["security"] = [] if scope is None else [{SCHEME: [scope.value]}, {}]
        return document

    app.openapi = described  # type: ignore[method-assign] # as FastAPI's documentation does it
