"""The far side of a place in a cluster: runs work there in processes of its own and hands their messages over when asked.

Ray starts it as an actor on the machine that was reserved. The near side (:mod:`backend.executors.ray_place`) asks again and
again, and each question waits here until there is something to say. An actor that nobody asks any more ends itself, and a
measuring process ends with the process that waits for it: a service that dies, or whose network does, leaves nothing behind.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from dyad_core.bench.process import Work, run_process
from dyad_core.bench.tree import end_orphans
from dyad_core.errors import DyadError

__all__ = ["LEASE_S", "NOT_OURS", "Answer", "MeasuringActor"]

LEASE_S = 20.0
"""An actor that was not asked for so long ends itself."""

NOT_OURS = "DYAD_NOT_OURS"
"""Variable of a node: names of variables that Ray sets in its workers and that a measurement must not see."""


@dataclass(frozen=True)
class Answer:
    """What there is to say of a run.

    Attributes:
        messages: since the question before.
        ended: whether this is the last answer.
        result: what the work returned.
        error: what it raised instead.
    """

    messages: tuple[dict[str, Any], ...]
    ended: bool = False
    result: Any = None
    error: Exception | None = None


class MeasuringActor:
    """One place; one run at a time."""

    def __init__(self) -> None:
        """Undo what Ray does to its workers, and end what an actor before this one may have left behind."""
        for name in os.environ.get(NOT_OURS, "").split():
            os.environ.pop(name, None)
        end_orphans()
        self._changed = threading.Condition()
        self._messages: deque[dict[str, Any]] = deque()
        self._ended: Answer | None = None
        self._cancel = threading.Event()
        self._asked_s = time.monotonic()
        threading.Thread(target=self._end_when_forgotten, daemon=True).start()

    def host(self) -> str:
        """Its machine; an answer says that the place is there."""
        self._asked_s = time.monotonic()
        return platform.node()

    def start(self, work: Work, timeout_s: float | None, memory_limit_bytes: int | None) -> None:
        """Begin a run, with the Python of this machine."""
        self._asked_s = time.monotonic()
        self._messages.clear()
        self._ended, self._cancel = None, threading.Event()
        here = Work(
            (sys.executable, *work.command[1:]), work.request, work.name, work.process_name, dict(work.environment)
        )
        arguments = (here, self._cancel, timeout_s, memory_limit_bytes)
        threading.Thread(target=self._run, args=arguments, daemon=True).start()

    def ask(self, wait_s: float) -> Answer:
        """What is new; waits so long for something to be."""
        self._asked_s = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._ended is not None, wait_s)
            messages = tuple(self._messages)
            self._messages.clear()
            self._asked_s = time.monotonic()
            if self._ended is None:
                return Answer(messages)
            return Answer(messages, ended=True, result=self._ended.result, error=self._ended.error)

    def cancel(self) -> None:
        """End the run; its last answer says so."""
        self._cancel.set()

    def _run(
        self, work: Work, cancel: threading.Event, timeout_s: float | None, memory_limit_bytes: int | None
    ) -> None:
        try:
            result = run_process(
                work,
                on_message=self._tell,
                cancel=cancel,
                timeout_s=timeout_s,
                memory_limit_bytes=memory_limit_bytes,
            )
            answer = Answer((), ended=True, result=result)
        except DyadError as error:
            answer = Answer((), ended=True, error=error)
        except Exception as error:  # noqa: BLE001 - whoever asks raises it; a full disk there, for example
            told = DyadError(f"{platform.node()} could not run the {work.name}: {type(error).__name__}: {error}")
            answer = Answer((), ended=True, error=told)
        with self._changed:
            self._ended = answer
            self._changed.notify_all()

    def _tell(self, message: dict[str, Any]) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def _end_when_forgotten(self) -> None:
        while (idle_s := time.monotonic() - self._asked_s) < LEASE_S:
            time.sleep(LEASE_S - idle_s)
        os._exit(1)
