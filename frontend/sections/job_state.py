"""What every kind of job shows alike: its bar with a button to cancel, and how it ended without a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from frontend.client import ApiProblemError, BackendUnreachableError
from frontend.logic import words
from frontend.sections.backend import show_problem, show_unreachable

__all__ = ["show_ending", "show_progress", "times"]


def show_progress(record: Any, text: str, cancel: Callable[[], object], *, key: str, waiting: str = "") -> None:
    """Draw the bar of a job that waits or runs, and a button that cancels it.

    Args:
        record: the job.
        text: what it does now, beside the bar.
        cancel: asks the service to end it.
        key: of the button.
        waiting: a sentence behind the place in the queue.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            if record["status"] == "queued":
                place = record.get("queue_position")
                queued = "Waiting in the queue" + (f", position {place}" if place else "") + "."
                st.progress(0.0, text=f"{queued} {waiting}".rstrip())
            else:
                fraction = (record.get("progress") or {}).get("fraction") or 0.0
                st.progress(min(1.0, max(0.0, fraction)), text=text)
        if st.button("Cancel", icon=":material/stop:", key=key):
            try:
                cancel()
            except ApiProblemError as error:
                show_problem(error)
            except BackendUnreachableError as error:
                show_unreachable(error)
            else:
                st.rerun()


def times(progress: Any) -> list[str]:
    """How long a job has taken and will take, as far as that is known."""
    parts = []
    if progress.get("elapsed_s") is not None:
        parts.append(f"{words.duration(progress['elapsed_s'])} elapsed")
    if progress.get("eta_s") is not None:
        parts.append(f"about {words.duration(progress['eta_s'])} left")
    return parts


def show_ending(record: Any, noun: str, *, did: str) -> None:
    """Say how a job ended that has no result; ``did`` is what the service stopped in the middle of, "was measuring"."""
    endings = {
        "failed": (f"The {noun} failed", ":material/error:"),
        "cancelled": (f"The {noun} was cancelled", ":material/cancel:"),
        "interrupted": (
            f"The {noun} was interrupted: the service stopped while it {did}",
            ":material/power_off:",
        ),
    }
    title, icon = endings.get(record["status"], (f"The {noun} is {record['status']}", ":material/info:"))
    error = record.get("error") or {}
    text = f"**{title}.** {error.get('detail') or error.get('title') or ''}".rstrip()
    (st.info if record["status"] == "cancelled" else st.error)(text, icon=icon)
