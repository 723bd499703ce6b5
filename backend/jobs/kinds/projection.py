"""Projections: an uploaded weight held against DYAD patterns, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from backend.executors.base import SERVER, Needs
from backend.jobs.context import Context
from backend.jobs.kind import JobKind, Outcome, Request
from backend.projecting.check import checked_request
from backend.settings import Settings
from backend.uploads import Uploads
from dyad_core.bench.process import Work
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
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        return Request(spec=spec, digest=digest, needs=Needs(SERVER, alone=False))

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        """Read the matrix and project it."""
        ids = {spec["upload"]} | ({spec["reorder"]["upload"]} if spec["reorder"] else set())
        uploads = [self._uploads.get(upload_id) for upload_id in ids]
        files = {upload.id: {"path": str(self._uploads.path(upload)), "name": upload.name} for upload in uploads}
        request = {"spec": spec, "files": files, "max_matrix_bytes": self._max_matrix_bytes}
        work = Work(COMMAND, request, name=NAME, process_name="projecting process")
        context.on_progress(Progress("starting", 0, 1, 0.0, "starting the projecting process", 0.0).to_dict())
        result = context.run(work, on_message=context.on_progress)
        return Outcome(result=result, headline=result["reading"], warnings=[])


def make(settings: Settings) -> JobKind:
    """The kind for these settings."""
    return ProjectionKind(settings)
