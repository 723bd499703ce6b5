"""Who hears about a job: the runner's thread publishes, event streams of the web server listen.

A subscriber keeps the newest record only. A slow reader therefore skips intermediate progress and never grows a
queue, and the runner never waits for anybody.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Feed", "Subscriber"]


class Subscriber:
    """One listener, bound to the event loop it was made in."""

    def __init__(self) -> None:
        """Listen in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._record: dict[str, Any] | None = None

    def offer(self, record: dict[str, Any]) -> None:
        """Hand over a record from any thread; it replaces one that was not read yet."""
        try:
            self._loop.call_soon_threadsafe(self._take, record)
        except RuntimeError:  # the loop is closed: its server is gone, nobody reads any more
            return

    def _take(self, record: dict[str, Any]) -> None:
        self._record = record
        self._news.set()

    async def next(self) -> dict[str, Any]:
        """Wait for news and return the newest record."""
        await self._news.wait()
        self._news.clear()
        if self._record is None:
            raise RuntimeError("news without a record")
        return self._record


class Feed:
    """The subscribers of every job; safe to publish to from any thread."""

    def __init__(self) -> None:
        """Start without subscribers."""
        self._lock = threading.Lock()
        self._subscribers: dict[str, set[Subscriber]] = defaultdict(set)

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[Subscriber]:
        """Listen to one job inside the ``with`` block (in a running event loop)."""
        subscriber = Subscriber()
        with self._lock:
            self._subscribers[job_id].add(subscriber)
        try:
            yield subscriber
        finally:
            with self._lock:
                self._subscribers[job_id].discard(subscriber)
                if not self._subscribers[job_id]:
                    del self._subscribers[job_id]

    def watched(self) -> list[str]:
        """Ids of the jobs somebody listens to."""
        with self._lock:
            return list(self._subscribers)

    def publish(self, record: dict[str, Any]) -> None:
        """Tell everybody who listens to the job of this record."""
        with self._lock:
            listeners = list(self._subscribers.get(record["id"], ()))
        for listener in listeners:
            listener.offer(record)
