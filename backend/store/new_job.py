"""A job before it is one: what it starts with, and the row that it becomes."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from backend.executors.base import Needs
from backend.jobs.states import State
from backend.store.models import JobRow

__all__ = ["NewJob"]


@dataclass(frozen=True)
class NewJob:
    """What a job starts with; the columns of :class:`~backend.store.models.JobRow` say what each field means."""

    kind: str
    spec: dict[str, Any]
    spec_digest: str
    warnings: list[str]
    needs: Needs = field(default_factory=Needs)
    client: str = ""
    priority: int = 0
    attempts: int = 1
    time_limit_s: float | None = None
    memory_limit_bytes: int | None = None
    idempotency_key: str | None = None

    def row(self, status: State, **values: Any) -> JobRow:
        """A row under a new id, with further columns."""
        return JobRow(
            id=uuid.uuid4().hex,
            kind=self.kind,
            status=status,
            spec=self.spec,
            spec_digest=self.spec_digest,
            warnings=self.warnings,
            client=self.client,
            priority=self.priority,
            device=self.needs.device,
            needs=asdict(self.needs),
            attempts=self.attempts,
            time_limit_s=self.time_limit_s,
            memory_limit_bytes=self.memory_limit_bytes,
            idempotency_key=self.idempotency_key,
            **values,
        )
