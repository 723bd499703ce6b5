"""A stream lasts longer than the request that opened it: it is ended when the token that opened it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.security.registry import KEPT_S, Unauthorized

__all__ = ["serve_while_valid"]

Ask = Callable[[], Awaitable[object]]


async def serve_while_valid(app: ASGIApp, scope: Scope, receive: Receive, send: Send, ask: Ask) -> None:
    """Let ``app`` answer; while it streams events, ``ask`` every five seconds, and end the stream once that is refused.

    Args:
        app: what answers.
        scope: of the request, with ``receive`` and ``send`` as in ASGI.
        ask: raises :class:`Unauthorized` when the token is over.
    """
    watcher: _Watcher | None = None
    serving = asyncio.current_task()  # the application may send from another task of its own

    async def watched(message: Message) -> None:
        nonlocal watcher
        await send(message)
        if watcher is None and _begins_stream(message):
            watcher = _Watcher(ask, serving)

    try:
        await app(scope, receive, watched)
    except asyncio.CancelledError:
        if watcher is None or not watcher.take_back():
            raise  # somebody else ends this request
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        if watcher is not None:
            watcher.stop()


class _Watcher:
    """Cancels the task that serves a request when the token is over."""

    def __init__(self, ask: Ask, serving: asyncio.Task[object] | None) -> None:
        self._ask, self._serving, self._has_cancelled = ask, serving, False
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while await self._is_valid():
            await asyncio.sleep(KEPT_S)
        if self._serving is not None:
            self._has_cancelled = self._serving.cancel()

    async def _is_valid(self) -> bool:
        try:
            await self._ask()
        except Unauthorized:
            return False
        except SQLAlchemyError:
            return True  # the database may come back; new requests are refused meanwhile
        return True

    def take_back(self) -> bool:
        """Undo the cancellation; False when it was not this one's."""
        if self._has_cancelled and self._serving is not None:
            self._serving.uncancel()
        return self._has_cancelled

    def stop(self) -> None:
        self._task.cancel()


def _begins_stream(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    return Headers(raw=list(message.get("headers", ()))).get("content-type", "").startswith("text/event-stream")
