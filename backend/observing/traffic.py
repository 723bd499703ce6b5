"""How requests go: one pure ASGI layer that counts and times them, and writes a line for those worth one.

Labels are the route's template (``/api/v1/jobs/{job_id}``), never the path that came, or anybody could fill the memory of
the service and of Prometheus. A dashboard polls, so a read that went well and fast is a line at level debug only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Traffic", "WatchedRequests", "route_of"]

_log = logging.getLogger("backend.request")

SLOW_S = 1.0
LONGEST = 200  # characters of a path
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _READS | {"POST", "PUT", "PATCH", "DELETE"}
UNKNOWN = "(none)"
"""Label of a request that no route took."""


class Traffic:
    """The figures of requests; registered by whoever shows them."""

    def __init__(self) -> None:
        """Start at zero."""
        labels = ["method", "route"]
        self.requests = Counter(
            "dyad_http_requests",
            "Requests answered, by method, template of the route and status.",
            [*labels, "status"],
            registry=None,
        )
        self.duration = Histogram(
            "dyad_http_request_duration_seconds",
            "Time from a request to the end of its answer, event streams and long polls left out.",
            labels,
            buckets=_SECONDS,
            registry=None,
        )
        self.in_progress = Gauge(
            "dyad_http_requests_in_progress",
            "Requests being answered now, open event streams among them.",
            registry=None,
        )
        self.streams = Gauge("dyad_event_streams_open", "Event streams that are open now.", registry=None)

    def collectors(self) -> Iterator[Collector]:
        """What a registry is to register."""
        yield from (self.requests, self.duration, self.in_progress, self.streams)


class WatchedRequests:
    """Counts, times and logs every request."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        """Wrap ``app``; figures go to ``traffic``."""
        self._app, self._traffic = app, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, is_stream = 500, False  # what the client gets when the application raises before it answers
        traffic = self._traffic

        async def watch(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_event_stream(message):
                    is_stream = True
                    traffic.streams.inc()
            await send(message)

        traffic.in_progress.inc()
        started = time.perf_counter()
        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - started
            traffic.in_progress.dec()
            if is_stream:
                traffic.streams.dec()
            self._note(scope, status, seconds, waits=is_stream or b"wait_s=" in scope.get("query_string", b""))

    def _note(self, scope: Scope, status: int, seconds: float, *, waits: bool) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        route = route_of(scope)
        self._traffic.requests.labels(method, route, str(status)).inc()
        if not waits:
            self._traffic.duration.labels(method, route).observe(seconds)
        level = logging.DEBUG
        if status >= 500:
            level = logging.WARNING
        elif status >= 400 or method not in _READS or (seconds > SLOW_S and not waits):
            level = logging.INFO
        if _log.isEnabledFor(level):
            _log.log(
                level, "%s %s %s", method, scope["path"][:LONGEST], status, extra=_fields(scope, route, status, seconds)
            )


def _fields(scope: Scope, route: str, status: int, seconds: float) -> dict[str, object]:
    fields: dict[str, object] = {"route": route, "status": status, "duration_ms": round(seconds * 1e3, 2)}
    client = scope.get("state", {}).get("client")
    return fields | {"client": client} if isinstance(client, str) else fields


def _is_event_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )


def route_of(scope: Scope) -> str:
    """The template of the route that took a request, with its prefix; :data:`UNKNOWN` when none did."""
    path: str = scope["path"]
    template = getattr(scope.get("route"), "path", None)
    if template is None:
        # Routes of Starlette itself, /docs among them, leave no template; without parameters the path is one.
        return path if "endpoint" in scope and not scope.get("path_params") else UNKNOWN
    # The router tells its own part; what comes before is the fixed prefix under which it was included.
    ahead = path.rstrip("/").count("/") - template.rstrip("/").count("/")
    return "/".join(path.split("/")[: ahead + 1]) + template if ahead > 0 else str(template)
