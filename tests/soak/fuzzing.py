"""Drawn requests, sent to the service and held against its description; kinds of job that do no work."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from typing import Any

import httpx
import schemathesis
from fastapi.testclient import TestClient
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from backend.jobs.kind import Outcome, all_kinds
from backend.settings import Settings
from dyad_core.bench.reference import FOLDER
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed
from dyad_core.sweep.reference import FOLDER as MAPS

__all__ = ["Counts", "answered", "kinds_without_work"]

load_all_checks()
CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]
LONGEST_WAIT_S = 0.1
LONGEST_JOB_S = 0.2
LONGEST_SENT, LONGEST_CAUSE = 2000, 1000
CHANCE = random.Random()  # of its own: Hypothesis watches the common one


def kinds_without_work(settings: Settings) -> dict[str, Any]:
    """Every kind of job, its requests checked as always; measured figures are bundled ones, and some jobs fail or take a moment."""
    runs = json.loads(next(FOLDER.glob("*.json")).read_text(encoding="utf-8"))
    run = runs["runs"][0] if "runs" in runs else runs
    sweep = json.loads(next(MAPS.glob("*.json")).read_text(encoding="utf-8"))

    def end(result: dict[str, Any] | None, cancel: Any) -> Outcome:
        if cancel.wait(CHANCE.random() * LONGEST_JOB_S):
            raise BenchmarkCancelled("it was asked to stop")
        if result is None or CHANCE.random() < 0.3:
            raise BenchmarkFailed("it was not to be measured")
        return Outcome(result=result, headline="bundled", warnings=[], environment_digest="1" * 64)

    kinds: dict[str, Any] = dict(all_kinds(settings))
    for name, kind in kinds.items():
        result = {"benchmark": run, "sweep": sweep}.get(name)
        kind.run = lambda _spec, context, result=result: end(result, context.cancel)
    return kinds


def answered(client: TestClient, case: schemathesis.Case, headers: dict[str, str] | None = None) -> httpx.Response:
    """Send a case as the test client can; it waits for news no longer than a moment, for there are thousands."""
    if isinstance(case.query, dict) and "wait_s" in case.query:
        case.query = case.query | {"wait_s": _shortened(case.query["wait_s"])}
    request = case.as_transport_kwargs(base_url="http://testserver")
    request.pop("cookies", None)  # no route reads any
    if isinstance(request.get("data"), bytes | str):
        request["content"] = request.pop("data")
    given = {name.lower() for name in headers or {}}
    drawn = {name: value for name, value in (request.get("headers") or {}).items() if name.lower() not in given}
    request["headers"] = {**drawn, **(headers or {})}
    return client.request(**request)


def _shortened(value: Any) -> Any:
    try:
        return min(float(value), LONGEST_WAIT_S)
    except (TypeError, ValueError):
        return value  # wrong, and to be refused


class Counts:
    """How often each operation answered what."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.started = time.monotonic()
        self.found: Counter[tuple[str, int]] = Counter()
        self.wrong: dict[str, str] = {}

    def judge(self, case: schemathesis.Case, answer: httpx.Response) -> None:
        """Count an answer; keep the first of each operation and status that leaves the description, with its request."""
        label = case.operation.label
        self.found[label, answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKED)
        except FailureGroup as error:  # the draw goes on, and all is told at the end
            request = answer.request
            sent = f"{request.method} {request.url} {request.content[:LONGEST_SENT]!r}"
            causes = " ".join(str(cause)[:LONGEST_CAUSE] for cause in error.exceptions)
            self.wrong.setdefault(f"{label} {answer.status_code}", f"{sent}\n{answer.text[:LONGEST_SENT]}\n{causes}")

    @property
    def total(self) -> int:
        """Requests so far."""
        return self.found.total()

    def values(self) -> dict[str, dict[str, int]]:
        """By operation and status, JSON-ready."""
        labels = sorted({label for label, _ in self.found})
        return {
            label: {str(status): count for (name, status), count in sorted(self.found.items()) if name == label}
            for label in labels
        }

    def table(self, title: str) -> str:
        """The same as text."""
        statuses = sorted({status for _, status in self.found})
        width = max((len(label) for label, _ in self.found), default=0)
        lines = [f"{title}: {self.total} requests in {time.monotonic() - self.started:.0f} s"]
        lines.append(" " * width + "".join(f"{status:>7}" for status in statuses))
        for label in self.values():
            counts = "".join(f"{self.found[label, status] or '':>7}" for status in statuses)
            lines.append(f"{label:<{width}}{counts}")
        lines += [f"WRONG {name}: {what}" for name, what in self.wrong.items()]
        return "\n".join(lines)
