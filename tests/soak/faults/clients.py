"""The load: clients that submit, poll, listen, cancel and delete, and go on whatever happens to the service."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
from service_tools import SMALL
from soak.faults.ledger import ENDINGS, Entry, Ledger
from soak.faults.quick import quick_spec
from soak.faults.service import Service

__all__ = ["Load", "Options", "submit"]

RUNS, JOBS = "/api/v1/benchmarks", "/api/v1/jobs"
PAUSE_S = 0.1
ENOUGH_WAITING = 12
LAST_TRIES = 100
NOBODY_THERE, NO_ANSWER = -1, -2
AGAIN = (NOBODY_THERE, NO_ANSWER, 429, 503)


class Options:
    """What this version of the service offers, read from its own description."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Read an OpenAPI document."""
        parameters = document["paths"][RUNS]["post"].get("parameters", [])
        names = {each.get("name", "").lower() for each in parameters}
        self.keys = "idempotency-key" in names
        self.priority = "priority" in names
        self.attempts = "attempts" in names


def submit(
    service: httpx.Client,
    ledger: Ledger,
    entry: Entry,
    spec: dict[str, Any],
    options: Options,
    stop: threading.Event,
    **parameters: Any,
) -> dict[str, Any] | None:
    """Submit until it is answered; without keys a request that got no answer is not sent again."""
    headers = {"Idempotency-Key": f"soak-{entry.nonce}"} if options.keys else {}
    last_tries = LAST_TRIES
    while last_tries:
        try:
            answer = service.post(RUNS, params={"again": True, **parameters}, json=spec, headers=headers)
            ledger.answered("submit", answer.status_code)
            status = answer.status_code
        except httpx.ConnectError:
            status = NOBODY_THERE
        except httpx.TransportError:
            status = NO_ANSWER
        if status == 202:
            record: dict[str, Any] = answer.json()
            ledger.accepted(entry, record["id"])
            return record
        if status in (NO_ANSWER, 503):
            entry.unanswered += 1  # it may have been taken all the same
        if status not in AGAIN or (not options.keys and status in (NO_ANSWER, 503)):
            return None
        if stop.wait(PAUSE_S):  # the bench ends; the service should be there
            last_tries -= 1
            time.sleep(PAUSE_S)
    return None


class Load:
    """Threads of clients.

    Args:
        service: what they talk to.
        ledger: what they write down.
        options: what the service offers.
        seed: of everything they draw.
    """

    def __init__(self, service: Service, ledger: Ledger, options: Options, seed: str) -> None:
        """Prepare the threads."""
        self._service, self._ledger, self._options = service, ledger, options
        self._stop = threading.Event()
        roles: list[Callable[[httpx.Client, Random], None]] = [
            self._submitting, self._submitting, self._polling, self._listing, self._cancelling, self._deleting, self._listening,
        ]  # fmt: skip
        self._threads = [
            threading.Thread(target=self._guarded, args=(role, Random(f"{seed} {index}")), name=f"soak-{role.__name__}")
            for index, role in enumerate(roles)
        ]

    def start(self) -> None:
        """Let them begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish what it is about; the service must be there."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                self._ledger.complain(f"the client {thread.name} got stuck")

    def _guarded(self, role: Callable[[httpx.Client, Random], None], random: Random) -> None:
        with self._service.client() as client:
            while not self._stop.is_set():
                try:
                    role(client, random)
                except httpx.TransportError:
                    self._stop.wait(PAUSE_S)
                except Exception as error:  # noqa: BLE001 - whatever surprises a client belongs into the report
                    self._ledger.complain(f"{role.__name__} met {type(error).__name__}: {error}")
                    self._stop.wait(1.0)

    def _submitting(self, client: httpx.Client, random: Random) -> None:
        real = random.random() < 0.03
        entry = self._ledger.ask("load", fails=not real and random.random() < 0.1)
        spec = (
            SMALL | {"seed": entry.nonce}
            if real
            else quick_spec(entry.nonce, random.randint(1, 300), fails=entry.fails)
        )
        parameters: dict[str, Any] = {}
        if self._options.priority and random.random() < 0.3:
            parameters["priority"] = random.randint(-2, 2)
        if self._options.attempts and random.random() < 0.3:
            parameters["attempts"] = random.randint(1, 4)
        record = submit(client, self._ledger, entry, spec, self._options, self._stop, **parameters)
        if record is None and not entry.unanswered:
            self._ledger.complain(f"job {entry.nonce} was refused")
        crowded = record is not None and (record["queue_position"] or 0) > ENOUGH_WAITING
        self._stop.wait(2.0 if crowded else random.uniform(0.05, 0.4))

    def _look(self, client: httpx.Client, entry: Entry, job_id: str) -> None:
        answer = client.get(f"{JOBS}/{job_id}")
        self._ledger.answered("look", answer.status_code)
        if answer.status_code == 200:
            self._ledger.saw(entry, answer.json())
        elif answer.status_code == 404:
            self._ledger.missing(entry)

    def _polling(self, client: httpx.Client, random: Random) -> None:
        # Only this client says what it saw: of two, one could be told the past after the other was told the present.
        if (picked := self._ledger.pick(random)) is not None:
            self._look(client, *picked)
        self._stop.wait(0.05)

    def _listing(self, client: httpx.Client, random: Random) -> None:
        answer = client.get(JOBS, params={"limit": random.randint(1, 50)})
        self._ledger.answered("list", answer.status_code)
        if answer.status_code == 200:
            page = answer.json()
            ids = [item["id"] for item in page["items"]]
            if len(ids) != len(set(ids)):
                self._ledger.complain("a page of the list holds a job twice")
        self._stop.wait(0.3)

    def _cancelling(self, client: httpx.Client, random: Random) -> None:
        if (picked := self._ledger.pick(random, over=False)) is not None:
            entry, job_id = picked
            entry.cancel_asked = True
            self._ledger.answered("cancel", client.post(f"{JOBS}/{job_id}/cancel").status_code)
        self._stop.wait(random.uniform(0.5, 2.0))

    def _deleting(self, client: httpx.Client, random: Random) -> None:
        if (picked := self._ledger.pick(random, over=random.random() < 0.7)) is not None:
            entry, job_id = picked
            entry.deletion, entry.cancel_asked = "asked", True  # deleting a queued job cancels it
            status = client.delete(f"{JOBS}/{job_id}").status_code
            self._ledger.answered("delete", status)
            if status in (204, 404):
                entry.deletion = "done"
            elif status == 409:
                entry.deletion = ""
        self._stop.wait(random.uniform(0.5, 2.0))

    def _listening(self, client: httpx.Client, random: Random) -> None:
        if (picked := self._ledger.pick(random, over=False)) is None:
            self._stop.wait(PAUSE_S)
            return
        entry, job_id = picked
        until, ending = time.monotonic() + 3.0, ""
        with client.stream("GET", f"{JOBS}/{job_id}/events", timeout=3.0) as answer:
            self._ledger.answered("listen", answer.status_code)
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    if ending:
                        self._ledger.complain(f"the events of job {entry.nonce} went on after it was {ending}")
                    status = json.loads(line.removeprefix("data:"))["status"]
                    ending = status if status in ENDINGS else ""
                if self._stop.is_set() or time.monotonic() > until:
                    return
