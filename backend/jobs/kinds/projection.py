"""Projections: an uploaded weight held against DYAD patterns, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from typing import Any

from backend.jobs.kind import JobKind, OnProgress, Outcome, Request
from backend.projecting.check import checked_request
from backend.settings import Settings
from backend.uploads import Uploads
from dyad_core.bench.process import Work, run_process
from dyad_core.weights import Progress

__all__ = ["NAME", "ProjectionKind", "make"]

NAME = "projection"
COMMAND = (sys.executable, "-m", "backend.projecting.worker")


class ProjectionKind:
    """The kind ``projection``: its request is a :class:`~backend.requests.ProjectionRequest`.

    Args:
        settings: where uploads are kept, and how large a matrix may be.
    """

    name = NAME

    def __init__(self, settings: Settings) -> None:
        """Find uploads where ``settings`` keep them."""
        self._uploads, self._max_matrix_bytes = Uploads(settings), settings.max_matrix_bytes

    def read(self, body: dict[str, Any]) -> Request:
        """Check values against the header of the upload; no value of the matrix is read."""
        spec = checked_request(body, self._uploads).to_dict()
        return Request(spec=spec, digest=hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest())

    def run(self, spec: dict[str, Any], on_progress: OnProgress, cancel: threading.Event) -> Outcome:
        """Read the matrix and project it."""
        ids = {spec["upload"]} | ({spec["reorder"]["upload"]} if spec["reorder"] else set())
        uploads = [self._uploads.get(upload_id) for upload_id in ids]
        files = {upload.id: {"path": str(self._uploads.path(upload)), "name": upload.name} for upload in uploads}
        request = {"spec": spec, "files": files, "max_matrix_bytes": self._max_matrix_bytes}
        work = Work(COMMAND, request, name=NAME, process_name="projecting process")
        on_progress(Progress("starting", 0, 1, 0.0, "starting the projecting process", 0.0).to_dict())
        result = run_process(work, on_message=on_progress, cancel=cancel)
        return Outcome(result=result, headline=result["reading"], warnings=[])


def make(settings: Settings) -> JobKind:
    """The kind for these settings."""
    return ProjectionKind(settings)
