"""The gate: lets a request through that carries a token good enough for it, and says who sends it.

Pure ASGI, so that event streams pass through untouched; :mod:`.watching` ends one whose token ends. ``request.state.client`` is the name of the token.
"""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.problems import problem_response
from backend.security.registry import Identity, Registry, Unauthorized
from backend.security.scopes import needed, satisfies
from backend.security.watching import serve_while_valid
from dyad_core.errors import Problem

__all__ = ["Authentication"]

REALM = 'Bearer realm="dyad-explorer"'
RETRY_AFTER_S = 5


class Authentication:
    """ASGI middleware that asks for a token where one is needed."""

    def __init__(self, app: ASGIApp, registry: Registry) -> None:
        """Stand before ``app``."""
        self._app, self._registry = app, registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401, 403 or 503."""
        wanted = needed(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if wanted is None:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("authorization")
        try:
            identity = await self._registry.identify(given)
        except Unauthorized as error:
            challenge = f'{REALM}, error="invalid_token"' if error.wrong else REALM
            answer = problem_response(401, str(error), headers={"WWW-Authenticate": challenge})
            await answer(scope, receive, send)
            return
        except SQLAlchemyError:
            detail = (
                "The tokens cannot be read: the database of the service does not answer. /readyz says when it is back."
            )
            await problem_response(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})(scope, receive, send)
            return
        if identity is None:
            await self._app(scope, receive, send)
        elif not satisfies(identity.scope, wanted):
            await _too_small(identity, wanted)(scope, receive, send)
        else:
            scope.setdefault("state", {})["client"] = identity.name
            await serve_while_valid(self._app, scope, receive, send, lambda: self._registry.identify(given))


def _too_small(identity: Identity, wanted: str) -> ASGIApp:
    problem = Problem("Authorization", f"must have the scope {wanted}", identity.scope.value, "use another token")
    detail = f"This token may {identity.scope}, and this needs the scope {wanted}."
    challenge = f'{REALM}, error="insufficient_scope", scope="{wanted}"'
    return problem_response(403, detail, [problem], headers={"WWW-Authenticate": challenge})
