"""Read the result file of another machine; the library checks every field of it."""

from __future__ import annotations

from typing import Any

from backend.jobs.kind import Outcome, Request
from backend.jobs.kinds.benchmark import outcome_of
from dyad_core.bench import BenchmarkRun

__all__ = ["imported_run"]


def imported_run(body: dict[str, Any]) -> tuple[Request, Outcome]:
    """Return what the service keeps of a result file.

    Raises:
        SpecError: for a newer schema, a missing, unknown or wrong field; each is named.
    """
    run = BenchmarkRun.from_dict(body)
    spec = run.spec
    return Request(spec=spec.to_dict(), digest=spec.digest(), warnings=list(run.warnings)), outcome_of(run)
