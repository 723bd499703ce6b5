"""Runs as the list says them."""

from typing import Any

import pytest

from frontend.logic.listing import STATUSES, entry, origin_words, page_count
from frontend.logic.request import DEFAULTS
from frontend.schemas import RunRecord


def record(**changes: Any) -> RunRecord:
    base: dict[str, Any] = {
        "id": "ab" * 16,
        "kind": "benchmark",
        "status": "succeeded",
        "spec": dict(DEFAULTS),
        "origin": "local",
        "created_at": "2026-03-01T10:00:00+00:00",
        "started_at": "2026-03-01T10:00:01+00:00",
        "finished_at": "2026-03-01T10:01:06+00:00",
        "headline": "IT n=4 is 1.8x as fast.",
        "error": None,
    }
    return base | changes  # type: ignore[return-value] # the keys of a record


@pytest.mark.parametrize(
    ("status", "cancel", "delete", "export"),
    [
        ("queued", True, True, False),
        ("running", True, False, False),
        ("succeeded", False, True, True),
        ("failed", False, True, False),
        ("cancelled", False, True, False),
        ("interrupted", False, True, False),
    ],
)
def test_each_state_allows_what_the_service_allows(status: str, cancel: bool, delete: bool, export: bool) -> None:
    made = entry(record(status=status))

    assert (made.can_cancel, made.can_delete, made.can_export) == (cancel, delete, export)
    assert status in STATUSES


def test_an_entry_says_layer_figures_and_duration() -> None:
    made = entry(record())

    assert made.title == "OPT-125m fc1 (768 → 3072)"
    assert made.headline == "IT n=4 is 1.8x as fast."
    assert made.when == "2026-03-01 10:00 UTC · took 1 min 05 s"
    assert made.origin == "local"
    assert origin_words(record()) == ""


def test_a_run_from_elsewhere_says_from_which_machine() -> None:
    machine = {"name": "A CPU", "hostname": "box", "device": "cpu", "threads": 2, "torch_version": "2.11"}

    assert origin_words(record(origin="imported", machine=machine)) == (
        "imported, measured on A CPU (box), 2 threads, torch 2.11"
    )
    assert origin_words(record(origin="reference", machine=None)) == "bundled reference run"
    assert entry(record(measured_at="2025-01-02T03:04:00+00:00")).when.startswith("2025-01-02 03:04")


def test_without_figures_the_entry_says_why() -> None:
    failed = record(status="failed", headline=None, error={"title": "Failed", "detail": "exit code 137"})

    assert entry(failed).headline == "exit code 137"
    assert entry(record(status="queued", headline=None, finished_at=None)).headline == "No figures yet."
    assert entry(record(status="cancelled", headline=None)).headline == ""


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (20, 1), (21, 2), (5000, 250)])
def test_page_count(total: int, pages: int) -> None:
    assert page_count(total, 20) == pages
