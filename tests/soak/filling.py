"""A database with as many jobs as years of use leave: written into the tables at once, with real results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backend.jobs.kinds.benchmark import imported
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.models import JobRow
from dyad_core.bench.reference import FOLDER

__all__ = ["fill"]

CHUNK = 500
START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(settings: Settings, *, jobs: int, with_results: int) -> None:
    """Write ``jobs`` finished benchmarks, the last ``with_results`` of them with a real result, the rest failed."""
    file = next(FOLDER.glob("*.json"))
    kept = imported(file.read_bytes())
    engine = open_database(settings)
    with engine.begin() as connection:
        for first in range(0, jobs, CHUNK):
            rows = []
            for number in range(first, min(first + CHUNK, jobs)):
                request, outcome = kept[number % len(kept)]
                has_result = number >= jobs - with_results
                moment = START + timedelta(minutes=number)
                rows.append(
                    {
                        "id": f"{number:032x}",
                        "kind": "benchmark",
                        "status": "succeeded" if has_result else "failed",
                        "origin": "local",
                        "spec": request.spec,
                        "spec_digest": request.digest,
                        "warnings": list(outcome.warnings) if has_result else [],
                        "result": outcome.result if has_result else None,
                        "headline": outcome.headline if has_result else None,
                        "error": None if has_result else {"title": "The run failed", "detail": "It was made up."},
                        "machine": outcome.machine if has_result else None,
                        "measured_at": outcome.measured_at if has_result else None,
                        "created_at": moment,
                        "started_at": moment,
                        "finished_at": moment,
                        "client": f"client {number % 7}",
                        "device": "cpu",
                    }
                )
            connection.execute(JobRow.__table__.insert(), rows)
    engine.dispose()
