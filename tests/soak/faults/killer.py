"""The killer: at a random moment it ends one of what can die, brings it back, and times how long the queue stood still."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import httpx
import psutil
from soak.faults.clients import JOBS, Options, submit
from soak.faults.ledger import ENDINGS, Ledger
from soak.faults.parts import Mortal
from soak.faults.quick import quick_spec
from soak.faults.service import Service

__all__ = ["Kill", "Killer", "Stuck"]

LONGEST_WAIT_S = 1.0
STUCK_S = 120.0
ORPHAN_S = 15.0
STEP_S = 0.05
NOTHING_RUNS_S = 30.0


class Stuck(Exception):  # noqa: N818 - the event
    """The service did not come back."""


@dataclass(frozen=True)
class Kill:
    """One of them.

    Attributes:
        number: from 1.
        kind: what was killed.
        at_s: since the start of the bench.
        answered_s: from the kill to the first answer of ``/readyz`` that says ready.
        recovered_s: from the kill to the end of a job that was submitted after it.
    """

    number: int
    kind: str
    at_s: float
    answered_s: float
    recovered_s: float


class Killer:
    """Kills one kind after another.

    Args:
        service: the service under test.
        ledger: where the probes are written.
        options: what the service offers.
        weights: how often each kind is drawn; ``server``, ``stop``, ``worker`` and the names of ``mortals``.
        mortals: what else can die.
        seed: of kinds and moments.
    """

    def __init__(
        self,
        service: Service,
        ledger: Ledger,
        options: Options,
        weights: Mapping[str, int],
        mortals: Mapping[str, Mortal],
        seed: str,
    ) -> None:
        """Nothing dies yet."""
        self._service, self._ledger, self._options = service, ledger, options
        self._weights, self._mortals = weights, mortals
        self._random = Random(seed)
        self._started = time.monotonic()
        self._deeds: dict[str, Callable[[], None]] = {
            "server": self._server, "stop": self._stop, "worker": self._worker,
        }  # fmt: skip

    def kill(self, number: int) -> Kill:
        """Wait a random moment, kill, bring back, and return when a new job has succeeded.

        Raises:
            Stuck: none did.
        """
        (kind,) = self._random.choices(list(self._weights), list(self._weights.values()))
        time.sleep(self._random.uniform(0.0, LONGEST_WAIT_S))
        started = time.monotonic()
        if kind in self._mortals:
            self._mortal(self._mortals[kind])
        else:
            self._deeds[kind]()
        answered = self._ready(started)
        self._probe(number)
        recovered = time.monotonic() - started
        return Kill(number, kind, round(started - self._started, 3), round(answered, 3), round(recovered, 3))

    # --- deeds ---------------------------------------------------------------------------------

    def _server(self) -> None:
        orphans = self._service.workers()
        self._service.kill()
        time.sleep(self._random.choice((0.0, 0.0, 0.3)))
        self._service.start()
        self._bury(orphans)

    def _stop(self) -> None:
        orphans = self._service.workers()
        self._service.stop()
        self._service.start()
        self._bury(orphans)

    def _bury(self, orphans: list[psutil.Process]) -> None:
        """The processes of a dead server end by themselves."""
        _gone, left = psutil.wait_procs(orphans, ORPHAN_S)
        for process in left:
            self._ledger.complain(f"process {process.pid} outlived its server by {ORPHAN_S} s")

    def _worker(self) -> None:
        """Kill a process that measures; where none appears for a while, that is no kill but no harm either."""
        until = time.monotonic() + NOTHING_RUNS_S
        while time.monotonic() < until:
            if workers := self._service.workers():
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._random.choice(workers).kill()
                    return
            time.sleep(STEP_S)
        self._ledger.complain(f"no process measured for {NOTHING_RUNS_S} s, though jobs were waiting")

    def _mortal(self, mortal: Mortal) -> None:
        mortal.kill()
        time.sleep(self._random.choice((0.0, 0.3, 1.0)))
        mortal.revive()
        if not self._service.is_alive:
            self._ledger.complain("the server ended because something else did")
            self._service.start()

    # --- recovery ------------------------------------------------------------------------------

    def _ready(self, since: float) -> float:
        with self._service.client(5.0) as client:
            while time.monotonic() - since < STUCK_S:
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        return time.monotonic() - since
                if not self._service.is_alive:
                    raise Stuck("the server ended at its start; its log says why")
                time.sleep(STEP_S)
        raise Stuck(f"the service was not ready {STUCK_S} s after a kill")

    def _probe(self, number: int) -> None:
        """Submit a job that nobody disturbs, and wait until it has succeeded."""
        entry = self._ledger.ask("probe")
        spec = quick_spec(entry.nonce, 1)
        parameters = (
            {"priority": 10, "attempts": 5} if self._options.attempts else {}
        )  # a node may be dead, not yet missed
        with self._service.client() as client:
            record = submit(client, self._ledger, entry, spec, self._options, threading.Event(), **parameters)
            if record is None:  # its answer was lost and cannot be asked for; the next probe tells
                return self._probe(number)
            until = time.monotonic() + STUCK_S
            while time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    answer = client.get(f"{JOBS}/{record['id']}")
                    if answer.status_code == 200 and (status := answer.json()["status"]) in ENDINGS:
                        self._ledger.saw(entry, answer.json())
                        if status != "succeeded":
                            self._ledger.complain(f"the job after kill {number} {status}: {answer.json()['error']}")
                        return None
                time.sleep(STEP_S)
        raise Stuck(f"the job after kill {number} had no end {STUCK_S} s later; the queue does not go on")
