"""Scheduling: who asked, what a job needs, how often it may start, its limits, the key that makes a submission unique, its log, and whose turn it is.

Jobs of before keep working: they belong to nobody, may start once, and need what their request says.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, the table of log lines and the indexes."""
    for column in (
        sa.Column("client", sa.String(80), nullable=False, server_default=""),
        sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
        sa.Column("device", sa.String(64), nullable=False, server_default="cpu"),
        sa.Column("needs", sa.JSON),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
        sa.Column("time_limit_s", sa.Float),
        sa.Column("memory_limit_bytes", sa.BigInteger),
        sa.Column("place", sa.String(200)),
        sa.Column("claim", sa.String(32)),
        sa.Column("server", sa.String(160)),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("idempotency_key", sa.String(255)),
    ):
        op.add_column("jobs", column)
    op.create_table(
        "job_lines",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job_number", sa.Integer, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "served",
        sa.Column("client", sa.String(80), primary_key=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
    )
    _fill_in()
    op.create_index("job_lines_by_job", "job_lines", ["job_number", "number"])
    op.create_index("jobs_by_key", "jobs", ["client", "idempotency_key"], unique=True)


def _fill_in() -> None:
    """Name the device of queued jobs and count the starts of those that ran."""
    jobs = sa.table(
        "jobs",
        sa.column("id", sa.String),
        sa.column("kind", sa.String),
        sa.column("spec", sa.JSON),
        sa.column("device", sa.String),
        sa.column("attempt", sa.Integer),
        sa.column("started_at", sa.DateTime(timezone=True)),
    )
    connection = op.get_bind()
    connection.execute(sa.update(jobs).where(jobs.c.started_at.is_not(None)).values(attempt=1))
    connection.execute(sa.update(jobs).where(jobs.c.kind == "projection").values(device="server"))
    for job_id, spec in connection.execute(sa.select(jobs.c.id, jobs.c.spec)).all():
        device: Any = spec.get("device") if isinstance(spec, dict) else None
        if isinstance(device, str) and device != "cpu":
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(device=device[:64]))
