"""The books at the end: what was asked for, what is there, and what ran must be one story."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from soak.faults.clients import JOBS
from soak.faults.ledger import ENDINGS, Entry, Ledger

__all__ = ["Books", "balance", "read_jobs"]

PAGE = 500


@dataclass(frozen=True)
class Books:
    """The balance.

    Attributes:
        submitted: jobs that an answer confirmed.
        unanswered: requests that got no answer and whose job is there all the same, as it may be.
        by_ending: jobs in the database by status, and ``deleted``.
        executions: processes of quick jobs that were started.
        wrong: sentences; empty when everything agrees.
    """

    submitted: int
    unanswered: int
    by_ending: dict[str, int]
    executions: int
    wrong: list[str]


def read_jobs(client: httpx.Client) -> list[dict[str, Any]]:
    """Every job there is, from the pages of the list, oldest last; nothing may change meanwhile."""
    found: list[dict[str, Any]] = []
    while True:
        page = client.get(JOBS, params={"limit": PAGE, "offset": len(found)}).raise_for_status().json()
        found += page["items"]
        if not page["items"] or len(found) >= page["total"]:
            return found


def balance(ledger: Ledger, client: httpx.Client, journal: Path, kills: Mapping[str, int]) -> Books:
    """Compare ledger, database and journal; ``kills`` says how often what was killed."""
    jobs = read_jobs(client)
    wrong = list(ledger.wrong)
    by_id = {job["id"]: job for job in jobs}
    if len(by_id) != len(jobs):
        wrong.append("an id is there twice")
    by_nonce: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for job in jobs:
        by_nonce[job["spec"]["seed"]].append(job)
    wrong += [f"nobody asked for job {nonce}" for nonce in by_nonce if nonce not in ledger.entries]
    for entry in ledger.entries.values():
        wrong += _presence(entry, by_nonce[entry.nonce])
    events = _read_journal(journal / "journal")
    for job in jobs:
        if (known := ledger.entries.get(job["spec"]["seed"])) is not None:
            record = client.get(f"{JOBS}/{job['id']}").raise_for_status().json()
            ledger.saw(known, record)
            wrong += _ending(known, record, events[known.nonce], kills)
    wrong += [sentence for sentence in ledger.wrong if sentence not in wrong]
    wrong += _executions(events)
    statuses = Counter(job["status"] for job in jobs)
    deleted = sum(1 for entry in ledger.entries.values() if entry.ids and not by_nonce[entry.nonce])
    submitted = sum(1 for entry in ledger.entries.values() if entry.ids)
    unanswered = sum(1 for entry in ledger.entries.values() if not entry.ids and by_nonce[entry.nonce])
    by_ending = {name: statuses.get(name, 0) for name in (*ENDINGS, "queued", "running")} | {"deleted": deleted}
    if submitted + unanswered != sum(by_ending.values()):
        wrong.append(f"{submitted} + {unanswered} jobs were submitted and {sum(by_ending.values())} are accounted for")
    started = sum(1 for each in events.values() for event in each if event["event"] == "started")
    return Books(submitted, unanswered, by_ending, started, wrong)


def _presence(entry: Entry, jobs: list[dict[str, Any]]) -> Iterable[str]:
    """An accepted job is there once, unless somebody deleted it."""
    if len(entry.ids) > 1:
        yield f"job {entry.nonce} got {len(entry.ids)} ids"
    if len(jobs) > 1:
        yield f"job {entry.nonce} is there {len(jobs)} times"
    if entry.ids and not jobs and not entry.deletion:
        yield f"job {entry.nonce} was accepted and is lost"
    if entry.deletion == "done" and jobs:
        yield f"job {entry.nonce} was deleted and is there"
    if entry.ids and jobs and jobs[0]["id"] not in entry.ids:
        yield f"job {entry.nonce} has another id than its answer said"
    if not entry.ids and jobs and not entry.unanswered:
        yield f"job {entry.nonce} is there, but its request was refused"


def _ending(
    entry: Entry, record: dict[str, Any], events: list[dict[str, Any]], kills: Mapping[str, int]
) -> Iterable[str]:
    """How a job ended has a reason, and a result comes from a process that finished."""
    status, error = record["status"], record["error"] or {}
    starts = sum(1 for event in events if event["event"] == "started")
    allowed = record.get("attempts", 1) + kills.get("stop", 0)  # a deliberate stop does not use up a start
    only_servers, only_workers = not set(kills) - {"server", "stop"}, not set(kills) - {"worker"}
    rules = {
        "has no end, though the queue ran empty": status not in ENDINGS,
        "has a result, or has none": (record["result"] is not None) is not (status == "succeeded"),
        "was cancelled by nobody": status == "cancelled" and not entry.cancel_asked,
        "does not say why": status in ("failed", "interrupted") and not error.get("detail"),
        "failed, though only servers died": status == "failed" and not entry.fails and only_servers,
        "was interrupted, though no server died": status == "interrupted" and only_workers,
        f"was started {starts} times of {allowed}": starts > allowed,
        "succeeded, though its process fails": status == "succeeded" and entry.fails,
        "has the result of another": status == "succeeded" and record["result"]["spec"]["seed"] != entry.nonce,
        "has a result that no process of it delivered": status == "succeeded" and bool(events)
        and record["result"]["reading"] not in {event["token"] for event in events if event["event"] == "finished"},
    }  # fmt: skip
    return [
        f"job {entry.nonce} is {status} and {rule} {error.get('detail', '')}"
        for rule, broken in rules.items()
        if broken
    ]


def _read_journal(path: Path) -> dict[int, list[dict[str, Any]]]:
    events: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        event = json.loads(line)
        events[event["nonce"]].append(event)
    return events


def _executions(events: dict[int, list[dict[str, Any]]]) -> Iterable[str]:
    words = {"twice": "ran twice at once", "not alone": "was not alone on its device"}
    for nonce, each in events.items():
        for event in each:
            if event["event"] in words:
                yield f"job {nonce} {words[event['event']]}"
