"""How often one client may ask, and how many event streams it may hold.

A client is the token's name, or the address that the request comes from while no token is needed. The limits are far above what a
dashboard's polling does: they hold off a program that runs wild. Counting is by the library ``limits``, a sliding
window in memory, two numbers a client.
"""

from __future__ import annotations

import math
import time
from collections import Counter

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.problems import problem_response
from backend.security.scopes import HEALTH, needed
from backend.security.scopes import Scope as Needed
from backend.settings import Settings

__all__ = ["Rates", "client_key"]

STREAM_RETRY_S = 15


def client_key(scope: Scope) -> str:
    """Whom a request is counted for."""
    if name := scope.get("state", {}).get("client"):
        return f"token {name}"
    return f"address {(scope.get('client') or ('unknown',))[0]}"


class Rates:
    """ASGI middleware that answers 429 with ``Retry-After`` to a client that asks too often or holds too many streams."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before ``app``, behind the gate that knows the client."""
        self._app, self._limiter = app, SlidingWindowCounterRateLimiter(MemoryStorage())
        self._reads = _per_minute(settings.reads_per_minute, "reads")
        self._writes = _per_minute(settings.writes_per_minute, "writes")
        self._most_streams = settings.streams_per_client
        self._streams: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        client = client_key(scope)
        is_write = needed(scope["method"], scope["path"]) is Needed.RUN
        limit = self._writes if is_write else self._reads
        if limit is not None and not self._limiter.hit(limit, client):
            wait = max(1, math.ceil(self._limiter.get_window_stats(limit, client).reset_time - time.time()))
            setting = "DYAD_WRITES_PER_MINUTE" if is_write else "DYAD_READS_PER_MINUTE"
            detail = f"More than {limit.amount} requests in a minute; {setting} changes the limit."
            await problem_response(429, detail, headers={"Retry-After": str(wait)})(scope, receive, send)
        elif scope["method"] == "GET" and scope["path"].endswith("/events"):
            await self._stream(client, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._most_streams and self._streams[client] >= self._most_streams:
            detail = f"{self._most_streams} event streams are open already; DYAD_STREAMS_PER_CLIENT changes the limit."
            await problem_response(429, detail, headers={"Retry-After": str(STREAM_RETRY_S)})(scope, receive, send)
            return
        self._streams[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._streams[client] -= 1
            if not self._streams[client]:
                del self._streams[client]


def _per_minute(amount: int, name: str) -> RateLimitItem | None:
    return RateLimitItemPerMinute(amount, namespace=name) if amount else None
