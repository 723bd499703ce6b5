"""Which jobs a list shows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select

from backend.jobs.states import State
from backend.store.models import JobRow

__all__ = ["Filter", "filtered"]


@dataclass(frozen=True)
class Filter:
    """Which jobs to list; None takes all."""

    kind: str | None = None
    status: State | None = None
    origin: str | None = None
    variant: str | None = None
    device: str | None = None


def filtered(query: Select[JobRow], wanted: Filter) -> Select[JobRow]:
    """Narrow a query of jobs down."""
    for column, value in ((JobRow.kind, wanted.kind), (JobRow.status, wanted.status), (JobRow.origin, wanted.origin)):
        if value is not None:
            query = query.where(column == value)
    if wanted.device is not None:
        query = query.where(JobRow.spec["device"].as_string() == wanted.device)
    if wanted.variant is not None:
        # The list as JSON text, the same on SQLite and PostgreSQL up to blanks: ["it", "ot"].
        query = query.where(JobRow.spec["variants"].as_string().contains(f'"{wanted.variant}"', autoescape=True))
    return query
