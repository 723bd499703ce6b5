"""One bench of faults from its start to its report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
from service_tools import answers, wait_until
from soak.faults.books import Books, balance
from soak.faults.clients import JOBS, Load, Options
from soak.faults.killer import Kill, Killer, Stuck
from soak.faults.ledger import Ledger
from soak.faults.parts import Mortal
from soak.faults.report import Report
from soak.faults.service import Service

__all__ = ["run_bench"]

DRAIN_S = 300.0
FIRST_START_S = 120.0


def run_bench(
    name: str,
    folder: Path,
    *,
    kills: int,
    seed: int,
    weights: Mapping[str, int],
    mortals: Mapping[str, Mortal] | None = None,
) -> Report:
    """Kill ``kills`` times under load, let the queue run empty, and compare the books.

    Args:
        name: of the scenario.
        folder: for the service's data and logs.
        kills: how often.
        seed: of everything that is drawn.
        weights: kinds of kills and how often each is drawn.
        mortals: kinds beside ``server``, ``stop`` and ``worker``; they run already.
    """
    mortals = mortals or {}
    environment = {key: value for each in mortals.values() for key, value in each.environment.items()}
    service = Service(folder, environment)
    began = time.monotonic()
    try:
        service.start()
        with service.client() as client:
            wait_until(lambda: _answers(service) or not service.is_alive, "the first start", FIRST_START_S)
            if not service.is_alive:
                raise RuntimeError((folder / "server.log").read_text(encoding="utf-8"))
            options = Options(client.get("/openapi.json").json())
            ledger = Ledger()
            load = Load(service, ledger, options, f"{seed} load")
            killer = Killer(service, ledger, options, weights, mortals, f"{seed} kills")
            done: list[Kill] = []
            load.start()
            try:
                for number in range(1, kills + 1):
                    done.append(killer.kill(number))
            except Stuck as error:
                ledger.complain(f"kill {len(done) + 1}: {error}")
            finally:
                load.stop()
            counts = Counter(kill.kind for kill in done)
            try:
                _drain(service, ledger)
                books = balance(ledger, client, service.journal, counts)
            except httpx.HTTPError as error:
                books = Books(0, 0, {}, 0, [*ledger.wrong, f"the books cannot be read: {error}"])
        return Report(
            scenario=name,
            seed=seed,
            duration_s=round(time.monotonic() - began, 1),
            kills=tuple(done),
            books=books,
            answers=dict(ledger.answers),
            left_over=sum(1 for each in service.temporary.iterdir() if each.name.startswith("dyad-work-")),
        )
    finally:
        service.close()


def _answers(service: Service) -> bool:
    with service.client() as client:
        return answers(client, "/readyz")


def _drain(service: Service, ledger: Ledger) -> None:
    """Wait until nothing waits or runs; afterwards no process of a job is left, whoever started it."""
    with service.client() as client:

        def waiting() -> int:
            return sum(
                client.get(JOBS, params={"status": status, "limit": 1}).json()["total"]
                for status in ("queued", "running")
            )

        until = time.monotonic() + DRAIN_S
        while waiting():
            if time.monotonic() > until:
                ledger.complain(f"{waiting()} jobs had no end {DRAIN_S} s after the last kill")
                return
            time.sleep(0.2)
    _gone, left = psutil.wait_procs(service.workers(), 5)
    for process in left:
        ledger.complain(f"process {process.pid} is left over: {' '.join(process.cmdline())}")
