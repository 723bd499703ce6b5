"""Who hears about a job: threads of the scheduler publish, event streams and long polls of the web server listen.

A subscriber keeps the newest record only. A slow reader therefore skips intermediate progress and never grows a
queue, and the scheduler never waits for anybody. A record is put into JSON once, however many listen.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Feed", "News", "Subscriber"]


@dataclass(frozen=True)
class News:
    """A record without its result, and the same as JSON text."""

    record: dict[str, Any]
    text: str

    @classmethod
    def of(cls, record: dict[str, Any]) -> News:
        """Put a record into JSON."""
        return cls(record, json.dumps(record))


class Subscriber:
    """One listener, bound to the event loop it was made in."""

    def __init__(self) -> None:
        """Listen in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._newest: News | None = None

    def offer(self, news: News) -> None:
        """Hand over news from any thread; they replace what was not read yet."""
        try:
            self._loop.call_soon_threadsafe(self._take, news)
        except RuntimeError:  # the loop is closed: its server is gone, nobody reads any more
            return

    def _take(self, news: News) -> None:
        self._newest = news
        self._news.set()

    async def next(self, timeout_s: float | None = None) -> News | None:
        """Wait for news and return the newest; None when there were none within ``timeout_s``."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except TimeoutError:
            return None
        self._news.clear()
        return self._newest


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

    def count(self) -> int:
        """How many listen."""
        with self._lock:
            return sum(len(listeners) for listeners in self._subscribers.values())

    def watched(self) -> list[str]:
        """Ids of the jobs somebody listens to."""
        with self._lock:
            return list(self._subscribers)

    def publish(self, record: dict[str, Any]) -> None:
        """Tell everybody who listens to the job of this record."""
        with self._lock:
            listeners = list(self._subscribers.get(record["id"], ()))
        if not listeners:
            return
        news = News.of(record)
        for listener in listeners:
            listener.offer(news)
