"""Where and when a run was measured, whether it may be served again, and which results are here already.

``machine`` and ``measured_at`` are filled in from the results that are kept. Runs of before are not served: what identified
their machine knew less.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from dyad_core.bench.identity import result_fingerprint

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MACHINE = {"hostname": "hostname", "device": "device", "threads": "threads", "torch_version": "torch_version"}


def upgrade() -> None:
    """Add the columns and the table, then fill in what is known."""
    op.add_column("jobs", sa.Column("machine", sa.JSON))
    op.add_column("jobs", sa.Column("measured_at", sa.DateTime(timezone=True)))
    op.add_column("jobs", sa.Column("servable", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("fingerprint", sa.String(64)))
    op.create_table(
        "bundled",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
    )
    _fill_in()
    op.create_index("jobs_by_identity", "jobs", ["spec_digest", "environment_digest"])
    op.create_index("jobs_by_fingerprint", "jobs", ["fingerprint"], unique=True)


def _fill_in() -> None:
    jobs = sa.table(
        "jobs",
        sa.column("id", sa.String),
        sa.column("number", sa.Integer),
        sa.column("kind", sa.String),
        sa.column("status", sa.String),
        sa.column("origin", sa.String),
        sa.column("result", sa.JSON),
        sa.column("machine", sa.JSON),
        sa.column("measured_at", sa.DateTime(timezone=True)),
        sa.column("fingerprint", sa.String),
    )
    connection = op.get_bind()
    measured = sa.select(jobs.c.id, jobs.c.origin).where(jobs.c.kind == "benchmark", jobs.c.status == "succeeded")
    known: set[str] = set()
    for job_id, origin in connection.execute(measured.order_by(jobs.c.number)).all():
        result: Any = connection.scalar(sa.select(jobs.c.result).where(jobs.c.id == job_id))
        values = _known_of(result)
        fingerprint = values.pop("fingerprint")
        if origin == "imported" and fingerprint not in known:  # an import of before may be here twice
            known.add(fingerprint)
            values["fingerprint"] = fingerprint
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))


def _known_of(result: dict[str, Any]) -> dict[str, Any]:
    environment = result["environment"]
    machine = {"name": environment["device_name"], **{name: environment[field] for name, field in _MACHINE.items()}}
    return {
        "machine": machine,
        "measured_at": _moment(result["created_at"]),
        "fingerprint": result_fingerprint(result),
    }


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # an import of before was not held to it
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
