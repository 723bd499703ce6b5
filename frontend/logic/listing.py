"""Runs as they stand in the list: title, status, dates, and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from frontend.logic import presets, words
from frontend.logic.rows import spec_line
from frontend.schemas import TERMINAL, RunRecord

__all__ = ["STATUSES", "Entry", "entry", "page_count"]

STATUSES = {
    "queued": ("queued", "gray", ":material/hourglass:"),
    "running": ("running", "blue", ":material/play_circle:"),
    "succeeded": ("succeeded", "green", ":material/check_circle:"),
    "failed": ("failed", "red", ":material/error:"),
    "cancelled": ("cancelled", "orange", ":material/cancel:"),
    "interrupted": ("interrupted", "orange", ":material/power_off:"),
}
"""Word, badge colour and icon of each state."""


@dataclass(frozen=True)
class Entry:
    """One run of the list."""

    run_id: str
    status: str
    title: str
    details: str
    headline: str
    when: str
    imported: bool
    can_cancel: bool
    can_delete: bool
    can_export: bool


def entry(record: RunRecord) -> Entry:
    """Return what the list says of a run."""
    status, spec = record["status"], record["spec"]
    preset = presets.matching(spec["in_features"], spec["out_features"])
    return Entry(
        run_id=record["id"],
        status=status,
        title=f"{spec['in_features']} → {spec['out_features']}" if preset == presets.CUSTOM else preset,
        details=spec_line(spec),
        headline=record.get("headline") or _plain_headline(record),
        when=_when(record),
        imported=record.get("origin") == "imported",
        can_cancel=status in ("queued", "running"),
        can_delete=status != "running",
        can_export=status == "succeeded",
    )


def _plain_headline(record: RunRecord) -> str:
    error = record.get("error") or {}
    if error:
        return error.get("detail") or error.get("title") or ""
    return "" if record["status"] in TERMINAL else "No figures yet."


def _when(record: RunRecord) -> str:
    text = words.moment(record.get("created_at"))
    started, finished = record.get("started_at"), record.get("finished_at")
    if started and finished:
        took = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
        text += f" · took {words.duration(took)}"
    return text


def page_count(total: int, size: int) -> int:
    """Return how many pages ``total`` runs fill; at least one."""
    return max(1, -(-total // size))
