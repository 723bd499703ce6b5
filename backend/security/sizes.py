"""The outer wall: address, headers and body of every request are bounded before anything reads them.

The body is counted while it arrives, so that one without a declared length is bounded too, and one that stops
arriving is given up. Only uploads may be larger than ``DYAD_MAX_BODY_BYTES``; they are written to disk as they come.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.problems import Refusal, problem_response
from backend.settings import Settings
from backend.uploads import too_large

__all__ = ["MAX_ADDRESS_BYTES", "MAX_HEADERS", "MAX_HEADER_BYTES", "Sizes"]

UPLOADS = "/api/v1/uploads"
MAX_ADDRESS_BYTES = 8 * 2**10
MAX_HEADER_BYTES = 32 * 2**10
MAX_HEADERS = 100
IDLE_S = 60.0
"""Longest wait for the next piece of a body."""


class Sizes:
    """ASGI middleware that refuses what is too long: 414, 431, 413, and 408 for a body that stops arriving."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before ``app``."""
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["method"] == "POST" and scope["path"] == UPLOADS
        limit = self._settings.max_upload_bytes if is_upload else self._settings.max_body_bytes
        sentence = str(too_large(limit)) if is_upload else _body_too_large(limit)
        if refused := _head_too_large(scope) or _declared_too_large(scope, limit, sentence):
            await problem_response(*refused)(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive, limit, sentence), send)


def _bounded(receive: Receive, limit: int, sentence: str) -> Receive:
    """Receive at most ``limit`` bytes; what is raised reaches the route that reads, and is answered as its refusal."""
    size, complete = 0, False

    async def bounded() -> Message:
        nonlocal size, complete
        if complete:  # what comes now is the end of the connection, and may be waited for as long as it takes
            return await receive()
        try:
            async with asyncio.timeout(IDLE_S):
                message = await receive()
        except TimeoutError as error:
            raise Refusal(408, f"The rest of the body did not arrive within {IDLE_S:.0f} s.") from error
        size += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if size > limit:
            raise Refusal(413, sentence)
        return message

    return bounded


def _head_too_large(scope: Scope) -> tuple[int, str] | None:
    address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if address > MAX_ADDRESS_BYTES:
        return 414, f"The address has {address} bytes; at most {MAX_ADDRESS_BYTES} are read."
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    if size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
        detail = f"The request has {len(scope['headers'])} headers of {size} bytes"
        return 431, f"{detail}; at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes are read."
    return None


def _declared_too_large(scope: Scope, limit: int, sentence: str) -> tuple[int, str] | None:
    declared = Headers(scope=scope).get("content-length", "")
    is_number = declared.isascii() and declared.isdigit()
    return (413, sentence) if is_number and int(declared[:20]) > limit else None


def _body_too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes; DYAD_MAX_BODY_BYTES changes the limit."
