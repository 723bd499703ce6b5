"""Databases as earlier versions of the service left them: every revision, filled with every kind of row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from backend.store.upgrade import MIGRATIONS, upgrade

__all__ = ["REVISIONS", "content", "fill", "schema", "write_rows"]


def _revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


REVISIONS = _revisions()
"""Oldest first."""

MOMENT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)
WORDS = "≈ 1,5× schneller als «dense» — 測定 ✓ 😀 'quoted' \"twice\" 100 %"


def job(number: int, status: str, **values: Any) -> dict[str, Any]:
    """A row of the table of jobs, with values for the columns of every revision."""
    started = status not in ("queued",) and values.get("origin", "local") == "local"
    row = {
        "id": f"{number:032x}",
        "kind": "benchmark",
        "status": status,
        "origin": "local",
        "spec": {"in_features": 64, "device": "cpu", "variants": ["it", "ot"], "label": WORDS},
        "spec_digest": f"{number:064x}",
        "environment_digest": "e" * 64 if status == "succeeded" else None,
        "warnings": [WORDS, ""],
        "progress": {"stage": "timing", "done": 3, "candidates": [], "tiny": 5e-324, "large": 2**53 + 1, "none": None},
        "result": None,
        "error": {"title": "The run failed", "detail": WORDS} if status in ("failed", "interrupted") else None,
        "headline": WORDS if status == "succeeded" else None,
        "created_at": MOMENT + timedelta(seconds=number),
        "started_at": MOMENT + timedelta(seconds=number + 1) if started else None,
        "finished_at": MOMENT + timedelta(days=1) if status not in ("queued", "running") else None,
        # from 0002 on
        "servable": status == "succeeded",
        # from 0003 on
        "client": "Anna ✓",
        "priority": -3,
        "attempts": 3,
        "time_limit_s": 1.5,
        "memory_limit_bytes": 2**40,
        "idempotency_key": f"key-{number}",
    }
    return row | values


def rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Jobs in every state and of every kind; ``result`` is that of a benchmark, as the first version wrote it."""
    found = [
        job(number, status)
        for number, status in enumerate(("queued", "running", "failed", "cancelled", "interrupted"), 1)
    ]
    other = result | {"created_at": "2026-01-01T00:00:00"}
    return [
        *found,
        job(6, "succeeded", result=result),
        job(7, "succeeded", result=result, origin="imported", fingerprint="f" * 64),
        job(8, "succeeded", result=other, origin="reference"),
        job(9, "succeeded", kind="projection", result={"value": WORDS, "deep": {"list": [1.5, None, []]}}),
        job(10, "queued", spec={"device": "cuda:0", "in_features": 8}),
        job(11, "queued", kind="sweep", spec={"device": "cpu"}, progress=None, warnings=[]),
    ]


def write_rows(engine: sa.Engine, jobs: list[dict[str, Any]]) -> None:
    """Insert what the columns of this revision can take, and fill its other tables."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    table = metadata.tables["jobs"]
    with engine.begin() as connection:
        for values in jobs:
            given = {name: _bound(table.c[name], value) for name, value in values.items() if name in table.c}
            connection.execute(table.insert().values(given))
        if "bundled" in metadata.tables:
            connection.execute(metadata.tables["bundled"].insert().values(digest="d" * 64, added_at=MOMENT))
        if "job_lines" in metadata.tables:
            lines = [{"job_number": 2, "at": MOMENT, "attempt": 1, "text": f"{number} {WORDS}"} for number in range(3)]
            connection.execute(metadata.tables["job_lines"].insert(), lines)


def _bound(column: sa.Column[Any], value: Any) -> Any:
    return sa.null() if value is None and isinstance(column.type, sa.JSON) else value


def fill(url: str, revision: str, result: dict[str, Any]) -> None:
    """Make the database at ``url``, which is empty or missing, one of ``revision`` with every kind of row."""
    upgrade(sa.make_url(url), revision)
    engine = sa.create_engine(url)
    write_rows(engine, rows(result))
    engine.dispose()


def schema(engine: sa.Engine) -> dict[str, Any]:
    """The version, the columns and the indexes of every table."""
    found = sa.inspect(engine)
    with engine.connect() as connection:
        has_version = found.has_table("alembic_version")
        version = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if has_version else None
    tables = {
        name: (
            sorted((column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)),
            sorted(str(index["name"]) for index in found.get_indexes(name)),
        )
        for name in sorted(found.get_table_names())
    }
    return {"version": version, "tables": tables}


def content(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but the one of the version, in the order of its first column."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        return {
            name: [dict(row) for row in connection.execute(table.select().order_by(*table.primary_key)).mappings()]
            for name, table in metadata.tables.items()
            if name != "alembic_version"
        }
