"""Runs as they stand in the list: title, status, dates, and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from frontend.logic import presets, words
from frontend.logic.run_words import spec_line
from frontend.schemas import TERMINAL, RunRecord

__all__ = ["ORIGINS", "STATUSES", "Entry", "entry", "machine_words", "origin_words", "page_count"]

STATUSES = {
    "queued": ("queued", "gray", ":material/hourglass:"),
    "running": ("running", "blue", ":material/play_circle:"),
    "succeeded": ("succeeded", "green", ":material/check_circle:"),
    "failed": ("failed", "red", ":material/error:"),
    "cancelled": ("cancelled", "orange", ":material/cancel:"),
    "interrupted": ("interrupted", "orange", ":material/power_off:"),
}
"""Word, badge colour and icon of each state."""

ORIGINS = {
    "imported": ("imported", "violet", ":material/upload_file:"),
    "reference": ("reference", "yellow", ":material/menu_book:"),
}
"""Word, badge colour and icon of what was not measured by this service."""


@dataclass(frozen=True)
class Entry:
    """One run of the list."""

    run_id: str
    status: str
    title: str
    details: str
    headline: str
    when: str
    origin: str
    machine: str
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
        origin=record.get("origin") or "local",
        machine=machine_words(record),
        can_cancel=status in ("queued", "running"),
        can_delete=status != "running",
        can_export=status == "succeeded",
    )


def machine_words(record: RunRecord) -> str:
    """Say where a run was measured: ``AMD EPYC (box), 2 threads, torch 2.13.0``; empty when that is not known."""
    machine = record.get("machine")
    if not machine:
        return ""
    name = str(machine.get("name") or "an unnamed machine")
    text = f"{name} ({machine['hostname']})" if machine.get("hostname") else name
    if str(machine.get("device", "cpu")).startswith("cpu") and machine.get("threads"):
        text += f", {words.plural(int(machine['threads']), 'thread')}"
    return f"{text}, torch {machine['torch_version']}" if machine.get("torch_version") else text


def origin_words(record: RunRecord) -> str:
    """Say of a run from elsewhere that it is, and from which machine; empty for one of this service."""
    origin = record.get("origin") or "local"
    if origin == "local":
        return ""
    said = {"imported": "imported", "reference": "bundled reference run"}.get(origin, origin)
    machine = machine_words(record)
    return f"{said}, measured on {machine}" if machine else said


def _plain_headline(record: RunRecord) -> str:
    error = record.get("error") or {}
    if error:
        return error.get("detail") or error.get("title") or ""
    return "" if record["status"] in TERMINAL else "No figures yet."


def _when(record: RunRecord) -> str:
    text = words.moment(record.get("measured_at") or record.get("created_at"))
    started, finished = record.get("started_at"), record.get("finished_at")
    if started and finished:
        took = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
        text += f" · took {words.duration(took)}"
    return text


def page_count(total: int, size: int) -> int:
    """Return how many pages ``total`` runs fill; at least one."""
    return max(1, -(-total // size))
