"""A typed client of the REST service.

:class:`ApiClient` is *given* an :class:`httpx.Client`, so a test hands it the client of the real application and both
sides are checked without a network. The calls about whole models are in :mod:`frontend.client_models`; what can go wrong
is in :mod:`frontend.transport`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, cast

import httpx

from frontend.client_models import ModelCalls
from frontend.schemas import (
    ConnectivityJson,
    GeometryJson,
    PatternJson,
    RunPage,
    RunRecord,
    SystemJson,
    WindowJson,
)
from frontend.schemas_chain import AdviceJson, ReachabilityJson
from frontend.schemas_sweep import SweepPage, SweepRecord
from frontend.schemas_verdict import ComparedJson, PublishedTimingJson, VerdictJson
from frontend.schemas_weights import JobLogJson, JobRecord, UploadJson, UploadPage
from frontend.transport import ApiProblemError, BackendError, BackendUnreachableError

__all__ = ["ApiClient", "ApiProblemError", "BackendError", "BackendUnreachableError", "connect", "connections"]

PIECE_BYTES = 2**20
UPLOAD_TIMEOUT = httpx.Timeout(300.0, connect=2.0)


def connections(address: str) -> httpx.Client:
    """Return connections to the service at ``address``, which carry no token; nothing is sent yet."""
    return httpx.Client(base_url=address, timeout=httpx.Timeout(20.0, connect=2.0))


def connect(address: str, token: str | None = None) -> ApiClient:
    """Return a client for the service at ``address`` with connections of its own; nothing is sent yet."""
    return ApiClient(connections(address), token)


class ApiClient(ModelCalls):
    """Calls of the service, one method each. Every method may raise :class:`BackendError`."""

    # --- runs --------------------------------------------------------------------------------

    def submit(self, request: Mapping[str, Any], *, again: bool = False) -> RunRecord:
        """Queue a benchmark and return its record.

        An equal request on an equal machine is answered from the store, ``served_from_store`` says so; ``again``
        measures anew.
        """
        params = {"again": "true"} if again else {}
        return cast(RunRecord, self._json("POST", "/benchmarks", json=dict(request), params=params))

    def run(self, run_id: str) -> RunRecord:
        """Return one run with its progress and, when it succeeded, its result."""
        return cast(RunRecord, self._json("GET", f"/benchmarks/{run_id}"))

    def runs(
        self,
        filters: Mapping[str, str | None] | None = None,
        *,
        limit: int = 25,
        offset: int = 0,
        order: str = "-created_at",
    ) -> RunPage:
        """Return one page of runs, newest first.

        ``filters`` may name ``status``, ``variant``, ``device`` and ``origin``; one that is None is not applied.
        """
        query = {name: value for name, value in (filters or {}).items() if value is not None}
        params: dict[str, str | int] = {**query, "limit": limit, "offset": offset, "order": order}
        return cast(RunPage, self._json("GET", "/benchmarks", params=params))

    def cancel(self, run_id: str) -> RunRecord:
        """Stop a queued or running run."""
        return cast(RunRecord, self._json("POST", f"/benchmarks/{run_id}/cancel"))

    def delete(self, run_id: str) -> None:
        """Remove a run that is not running."""
        self._send("DELETE", f"/benchmarks/{run_id}")

    def export(self, run_id: str, form: Literal["json", "csv", "parquet"]) -> bytes:
        """Return a finished run as a file: the versioned JSON, or a table of one row per candidate and pass."""
        return self._send("GET", f"/benchmarks/{run_id}/export", params={"format": form}).content

    def import_run(self, content: bytes) -> RunRecord:
        """Keep a result file that was made elsewhere. ``content`` is its JSON text."""
        headers = {"Content-Type": "application/json"}
        answer = self._send("POST", "/benchmarks/import", content=content, headers=headers)
        return cast(RunRecord, answer.json())

    def compare(self, run_ids: Sequence[str]) -> ComparedJson:
        """Return finished runs side by side: what differs, what can be compared, and ratios with intervals."""
        return cast(ComparedJson, self._json("GET", "/benchmarks/compare", params={"ids": ",".join(run_ids)}))

    def verdict(self, run_id: str, **asked: Any) -> VerdictJson:
        """Return the decision that a finished run supports; ``asked`` may name a candidate or what is required."""
        return cast(VerdictJson, self._json("POST", "/verdicts", json={"run": run_id, **asked}))

    def verdict_on_layer(self, layer: Mapping[str, Any], **asked: Any) -> VerdictJson:
        """Return the decision that the newest stored run of these sizes supports."""
        return cast(VerdictJson, self._json("POST", "/verdicts", json={"layer": dict(layer), **asked}))

    def published_timing(self) -> PublishedTimingJson:
        """Return the published timing and what its headline figure is made of."""
        return cast(PublishedTimingJson, self._json("GET", "/published/timing"))

    # --- sweeps ------------------------------------------------------------------------------

    def submit_sweep(self, request: Mapping[str, Any]) -> SweepRecord:
        """Queue a sweep and return its record."""
        return cast(SweepRecord, self._json("POST", "/sweeps", json=dict(request)))

    def sweep(self, sweep_id: str) -> SweepRecord:
        """Return one sweep with its progress and, when it succeeded, its result."""
        return cast(SweepRecord, self._json("GET", f"/sweeps/{sweep_id}"))

    def sweeps(self, *, limit: int = 20, offset: int = 0) -> SweepPage:
        """Return one page of sweeps, newest first."""
        return cast(SweepPage, self._json("GET", "/sweeps", params={"limit": limit, "offset": offset}))

    def cancel_sweep(self, sweep_id: str) -> SweepRecord:
        """Stop a queued or running sweep; what it measured is kept."""
        return cast(SweepRecord, self._json("POST", f"/sweeps/{sweep_id}/cancel"))

    def export_sweep(self, sweep_id: str, form: Literal["json", "csv"]) -> bytes:
        """Return a finished sweep as a file."""
        return self._send("GET", f"/sweeps/{sweep_id}/export", params={"format": form}).content

    # --- structure ---------------------------------------------------------------------------

    def pattern(
        self,
        geometry: GeometryJson,
        *,
        window: WindowJson | None = None,
        max_cells: int = 256,
        weights: Mapping[str, Any] | None = None,
    ) -> PatternJson:
        """Return the weight pattern of a window, reduced to at most ``max_cells`` cells a side.

        ``weights`` asks for a picture of actual values beside it: ``{"seed": 0, "init": "paper"}``.
        """
        body: dict[str, Any] = {**geometry, "max_cells": max_cells}
        if window is not None:
            body["window"] = window
        if weights is not None:
            body["weights"] = dict(weights)
        return cast(PatternJson, self._json("POST", "/structure/pattern", json=body))

    def connectivity(self, geometry: GeometryJson, *, feature: tuple[str, int] | None = None) -> ConnectivityJson:
        """Return which features meet in which block, and what a chosen ``feature`` ("input" or "output", index) meets."""
        body: dict[str, Any] = dict(geometry)
        if feature is not None:
            body["feature"] = {"side": feature[0], "index": feature[1]}
        return cast(ConnectivityJson, self._json("POST", "/structure/connectivity", json=body))

    def reachability(self, layers: Sequence[GeometryJson], **asked: Any) -> ReachabilityJson:
        """Return the share of input-output pairs connected after 1, 2, … of ``layers``.

        ``asked`` names what else to answer: ``paths``, ``heatmaps``, ``locality``, ``compare`` (true), ``pair``
        ({"input", "output"}), ``rank`` ({"seed"}).
        """
        body = {"layers": list(layers), **asked}
        return cast(ReachabilityJson, self._json("POST", "/structure/reachability", json=body))

    def advice(self, in_features: int, out_features: int, **asked: Any) -> AdviceJson:
        """Return every legal n for two sizes and a recommendation."""
        body = {"in_features": in_features, "out_features": out_features, **asked}
        return cast(AdviceJson, self._json("POST", "/structure/advice", json=body))

    # --- weights -----------------------------------------------------------------------------

    def upload(self, name: str, content: BinaryIO, size: int) -> UploadJson:
        """Send a file of ``size`` bytes, piece by piece, and return what is in it."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        # Checking a large file takes the service longer than any other answer.
        options: dict[str, Any] = {"params": {"name": name}, "headers": headers, "timeout": UPLOAD_TIMEOUT}
        return cast(UploadJson, self._json("POST", "/uploads", content=_pieces(content), **options))

    def uploads(self, *, limit: int = 50, offset: int = 0) -> UploadPage:
        """Return one page of kept files, newest first."""
        return cast(UploadPage, self._json("GET", "/uploads", params={"limit": limit, "offset": offset}))

    def upload_of(self, upload_id: str) -> UploadJson:
        """Return one kept file with its tensors."""
        return cast(UploadJson, self._json("GET", f"/uploads/{upload_id}"))

    def delete_upload(self, upload_id: str) -> None:
        """Forget a kept file."""
        self._send("DELETE", f"/uploads/{upload_id}")

    def project(self, request: Mapping[str, Any]) -> JobRecord:
        """Queue a projection and return its record."""
        return cast(JobRecord, self._json("POST", "/structure/projection", json=dict(request)))

    def job(self, job_id: str) -> JobRecord:
        """Return one job of any kind."""
        return cast(JobRecord, self._json("GET", f"/jobs/{job_id}"))

    def job_log(self, job_id: str, *, after: int = 0, limit: int = 100) -> JobLogJson:
        """Return lines of a job's log, oldest first, after the line of this number."""
        return cast(JobLogJson, self._json("GET", f"/jobs/{job_id}/log", params={"after": after, "limit": limit}))

    def cancel_job(self, job_id: str) -> JobRecord:
        """Stop a queued or running job of any kind."""
        return cast(JobRecord, self._json("POST", f"/jobs/{job_id}/cancel"))

    # --- machine -----------------------------------------------------------------------------

    def system(self) -> SystemJson:
        """Return devices, versions and queue of the service."""
        return cast(SystemJson, self._json("GET", "/system"))

    def check(self) -> None:
        """Return when the service answers, raise :class:`BackendUnreachableError` when it does not."""
        self._request("GET", "/healthz")

    def check_access(self) -> None:
        """Return when the service takes this client's token, or asks for none; raise :class:`ApiProblemError` otherwise."""
        self._send("GET", "/jobs", params={"limit": 1})


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(PIECE_BYTES):
        yield piece
