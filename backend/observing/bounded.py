"""Ask something that may hang, without hanging along.

The question is asked in a thread of its own. While an answer is out, everybody who asks waits for that one, so a database
that hangs holds one thread however often it is asked, and a hundred impatient clients cost one query.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

__all__ = ["Bounded"]

T = TypeVar("T")


class Bounded(Generic[T]):
    """One question with a time limit.

    Args:
        ask: the question; may block and may raise.
        limit_s: how long anybody waits for its answer.
        name: of its thread.
    """

    def __init__(self, ask: Callable[[], T], limit_s: float, name: str) -> None:
        """Prepare; nothing is asked yet."""
        self._ask, self._limit_s, self._name = ask, limit_s, name
        self._lock = threading.Lock()
        self._under_way: Future[T] | None = None

    def answer(self) -> T:
        """Ask, or join who asks already, and return the answer.

        Raises:
            TimeoutError: there is none within the limit.
        """
        return self._asked().result(self._limit_s)

    async def answered(self) -> T:
        """The same in an event loop, which goes on meanwhile."""
        waiting = asyncio.shield(asyncio.wrap_future(self._asked()))  # a caller that gives up ends nobody else's wait
        return await asyncio.wait_for(waiting, self._limit_s)

    def _asked(self) -> Future[T]:
        with self._lock:
            if self._under_way is not None and not self._under_way.done():
                return self._under_way
            future = self._under_way = Future[T]()
            threading.Thread(target=self._run, args=(future,), name=self._name, daemon=True).start()
            return future

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._ask())
        except BaseException as error:  # noqa: BLE001 - whatever it was, it belongs to those who wait
            future.set_exception(error)
