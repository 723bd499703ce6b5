"""The near side of a place in a cluster: starts the actor on the machine that was reserved, and hears what it has to say."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from backend.executors.base import Limits, PlaceLost
from backend.executors.ray_actor import Answer, MeasuringActor
from backend.executors.ray_ledger import Slot
from dyad_core.bench.process import Work
from dyad_core.errors import BenchmarkCancelled

if TYPE_CHECKING:
    from backend.executors.ray_connection import Connection

__all__ = ["Place"]

ASK_S = 0.75
"""A question waits so long at the other end; a cancellation and a lost machine are noticed in between."""

SILENCE_S = 30.0
"""A machine that answers no question for so long is lost, though the cluster may still count it."""

START_S = 60.0
"""An actor that is not there by then cannot be started: something else of the cluster holds the device."""

GOODBYE_S = 1.0
"""A run that is cancelled may take so long to end by itself before its actor is killed."""


class Place:
    """One device of a cluster. One run at a time; further ones wait.

    Args:
        connection: to the cluster.
        slot: the device.
        on_lost: told when the machine turns out to be gone, before anybody else is.
    """

    def __init__(self, connection: Connection, slot: Slot, on_lost: Callable[[Slot], None]) -> None:
        """Start nothing yet."""
        self.slot = slot
        self.name = f"{slot.node.host} ({slot.kind})"
        self.lost = ""
        """Why the machine is gone; set by whoever notices."""
        self._connection, self._on_lost = connection, on_lost
        self._actor: Any = None
        self._busy = threading.Lock()

    def run(
        self, work: Work, on_message: Callable[[dict[str, Any]], None], cancel: threading.Event, limits: Limits
    ) -> Any:
        """Run ``work`` there; blocks.

        Raises:
            PlaceLost: the machine or the way to it is gone.
            BenchmarkCancelled, BenchmarkTimeout, BenchmarkFailed, SpecError: as on this machine.
        """
        with self._busy:
            try:
                answer = self._answer(work, on_message, cancel, limits)
            except PlaceLost:
                if self._connection.is_connected():  # else it is the head that is gone
                    self._on_lost(self.slot)
                self.kill()
                raise
            except BaseException:
                self.kill()  # whatever the reason: nothing goes on there
                raise
            if answer.error is not None:
                answer.error.add_note(f"on {self.name}")
                raise answer.error
            return answer.result

    def kill(self) -> None:
        """End the actor, and with it what it runs."""
        actor, self._actor = self._actor, None
        if actor is not None:
            with contextlib.suppress(Exception):  # gone already, or the way to it is: then it ends itself
                self._connection.kill(actor)

    def _answer(
        self, work: Work, on_message: Callable[[dict[str, Any]], None], cancel: threading.Event, limits: Limits
    ) -> Answer:
        """The last answer of a run, after all its messages were handed on."""
        if self._actor is None:
            self._start(work, cancel)
        plain = dataclasses.replace(work, command=tuple(work.command), environment=dict(work.environment))
        self._hear(self._actor.start.remote(plain, limits.seconds, limits.memory_bytes), cancel, work)
        while True:
            answer: Answer = self._hear(self._actor.ask.remote(ASK_S), cancel, work)
            for message in answer.messages:
                on_message(message)
            if answer.ended:
                return answer

    def _start(self, work: Work, cancel: threading.Event) -> None:
        with self._ray_errors():
            self._actor = self._connection.actor(MeasuringActor, self.slot)
            hello = self._actor.host.remote()
        self._hear(hello, cancel, work, within_s=START_S)

    def _hear(self, answer: Any, cancel: threading.Event, work: Work, within_s: float = SILENCE_S) -> Any:
        """Wait for an answer, looking up in between."""
        deadline = time.monotonic() + within_s
        while True:
            if self.lost:
                raise PlaceLost(self.lost)
            if cancel.is_set():
                self._say_goodbye()
                raise BenchmarkCancelled(f"the {work.name} was cancelled and its process killed")
            with self._ray_errors():
                is_there, said = self._connection.answer(answer, ASK_S)
            if is_there:
                return said
            if time.monotonic() > deadline:
                raise PlaceLost(self._silent(within_s))

    def _silent(self, seconds: float) -> str:
        if seconds == START_S:
            return (
                f"{self.name} did not start the work within {seconds:.0f} s; "
                "another program of the cluster may hold the device."
            )
        return f"{self.name} has not answered for {seconds:.0f} s."

    def _say_goodbye(self) -> None:
        """Let the run end by itself, which also ends what left its group; what does not is killed with its actor."""
        with contextlib.suppress(Exception):  # best effort: the actor is killed next, whatever it answers
            self._actor.cancel.remote()
            end = time.monotonic() + GOODBYE_S
            while (left_s := end - time.monotonic()) > 0:
                is_there, said = self._connection.answer(self._actor.ask.remote(left_s), left_s)
                if not is_there or said.ended:
                    return

    @contextlib.contextmanager
    def _ray_errors(self) -> Iterator[None]:
        """What Ray raises where a machine or the way to it is gone, as a sentence that names the machine."""
        try:
            yield
        except Exception as error:
            if not self._connection.tells_loss(error):
                raise
            raise PlaceLost(self.lost or f"{self.name} was lost: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """The telling line of what Ray says of a dead actor."""
    text = str(error)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
