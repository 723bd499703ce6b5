"""Every request has an id: the caller's ``X-Request-ID`` where it is a plain one, else a new one.

The answer carries it, every log line of the request does, and so does a problem document. Plain ASGI: it costs
microseconds, and streams pass untouched.
"""

from __future__ import annotations

import re
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars

__all__ = ["HEADER", "RequestIds", "current_request_id", "problem_instance"]

HEADER = "X-Request-ID"
_NAME = HEADER.lower().encode()
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Gives each request its id."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind the id, call the application, and answer with the id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _received(scope) or uuid.uuid4().hex.encode()
        # Never unbound: each request runs in a task of its own, and what is logged after us belongs to it as well.
        bind_contextvars(request_id=request_id.decode())
        header = (_NAME, request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _NAME]
                message = {**message, "headers": [*others, header]}
            await send(message)

        await self._app(scope, receive, send_with_id)


def current_request_id() -> str:
    """The id of the request that is being served; empty outside of one."""
    found: str = get_contextvars().get("request_id", "")
    return found


def problem_instance() -> dict[str, str]:
    """Member ``instance`` of a problem document (RFC 9457): which occurrence it was; empty outside of a request."""
    request_id = current_request_id()
    return {"instance": f"urn:dyad-explorer:request:{request_id}"} if request_id else {}


def _received(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _NAME:
            return value if _PLAIN.fullmatch(value) else None
    return None
