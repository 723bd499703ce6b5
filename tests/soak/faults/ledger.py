"""What the clients asked for and were told: the other side of the books."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

__all__ = ["ENDINGS", "Entry", "Ledger"]

ENDINGS = ("succeeded", "failed", "cancelled", "interrupted")


@dataclass
class Entry:
    """One job that a client asked for.

    Attributes:
        nonce: its number, which its request carries as the seed.
        role: ``load`` or ``probe``; a probe is never cancelled or deleted.
        fails: whether its process fails on purpose.
        ids: every id that an answer named; more than one is a doubled job.
        unanswered: how often a request of it got no answer.
        cancel_asked: whether somebody tried to cancel it.
        deletion: ``""``, ``"asked"`` (no answer came) or ``"done"``.
        ending: the first terminal state that anybody saw.
        digest: of the result that was seen then.
    """

    nonce: int
    role: str
    fails: bool = False
    ids: set[str] = field(default_factory=set)
    unanswered: int = 0
    cancel_asked: bool = False
    deletion: str = ""
    ending: str = ""
    digest: str = ""


class Ledger:
    """Every entry, and whatever contradicted itself while the bench ran; safe to use from several threads."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self.entries: dict[int, Entry] = {}
        self.wrong: list[str] = []
        self.answers: Counter[str] = Counter()

    def ask(self, role: str, *, fails: bool = False) -> Entry:
        """A new entry with the next number."""
        with self._lock:
            entry = Entry(len(self.entries) + 1, role, fails)
            self.entries[entry.nonce] = entry
            return entry

    def accepted(self, entry: Entry, job_id: str) -> None:
        """An answer named the job."""
        with self._lock:
            entry.ids.add(job_id)

    def answered(self, what: str, status: int) -> None:
        """Count an answer; the service never makes a mistake, so 500 is wrong, and 503 is not."""
        with self._lock:
            self.answers[f"{what} {status}"] += 1
            if status >= 500 and status != 503:
                self.wrong.append(f"{what} was answered with {status}")

    def complain(self, sentence: str) -> None:
        """Something that must not be."""
        with self._lock:
            self.wrong.append(sentence)

    def saw(self, entry: Entry, record: dict[str, Any]) -> None:
        """A record was read: an ending stays, and so does its result."""
        if record["status"] not in ENDINGS:
            if entry.ending:
                self.complain(f"job {entry.nonce} was {entry.ending} and is {record['status']} again")
            return
        digest = hashlib.sha256(json.dumps(record.get("result"), sort_keys=True).encode()).hexdigest()
        with self._lock:
            if not entry.ending:
                entry.ending, entry.digest = record["status"], digest
            elif (entry.ending, entry.digest) != (record["status"], digest):
                self.wrong.append(f"job {entry.nonce} was {entry.ending}, is {record['status']}, or its result changed")

    def missing(self, entry: Entry) -> None:
        """A read said that there is no such job."""
        if not entry.deletion:
            self.complain(f"job {entry.nonce} was accepted and is not there")

    def pick(self, random: Random, *, over: bool | None = None) -> tuple[Entry, str] | None:
        """An accepted job of the load that nobody deleted, and its id; ``over`` asks for one whose end was or was not seen."""
        with self._lock:
            recent = list(self.entries.values())[-200:]
            found = [
                entry
                for entry in recent
                if entry.role == "load" and entry.ids and not entry.deletion and over in (None, bool(entry.ending))
            ]
            if not found:
                return None
            entry = random.choice(found)
            return entry, min(entry.ids)
