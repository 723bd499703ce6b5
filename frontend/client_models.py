"""The calls of the service that are about whole models: presets, estimates, measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import httpx

from frontend.schemas_models import EstimateJson, ModelPage, ModelRecord, PresetJson
from frontend.transport import Transport

__all__ = ["ModelCalls"]

ESTIMATE_TIMEOUT = httpx.Timeout(60.0, connect=2.0)
"""The service may build several models without their weights for one answer, and others may be waiting."""


class ModelCalls(Transport):
    """One method per call; every one may raise :class:`frontend.transport.BackendError`."""

    def model_presets(self) -> list[PresetJson]:
        """Return the models that the service knows by name."""
        return cast(list[PresetJson], self._json("GET", "/models/presets")["items"])

    def estimate_model(self, request: Mapping[str, Any]) -> EstimateJson:
        """Return what a model costs dense and with DYAD; ``measured`` in the request names whose times to predict with."""
        options: dict[str, Any] = {"json": dict(request), "timeout": ESTIMATE_TIMEOUT}
        return cast(EstimateJson, self._json("POST", "/models/estimate", **options))

    def submit_model(self, request: Mapping[str, Any]) -> ModelRecord:
        """Queue a measurement of a whole model and return its record."""
        return cast(ModelRecord, self._json("POST", "/models/measurements", json=dict(request)))

    def model_run(self, job_id: str) -> ModelRecord:
        """Return one measurement of a model with its progress and, when it succeeded, its result."""
        return cast(ModelRecord, self._json("GET", f"/models/measurements/{job_id}"))

    def model_runs(self, *, limit: int = 20, offset: int = 0) -> ModelPage:
        """Return one page of measurements of models, newest first."""
        return cast(ModelPage, self._json("GET", "/models/measurements", params={"limit": limit, "offset": offset}))

    def cancel_model(self, job_id: str) -> ModelRecord:
        """Stop a queued or running measurement of a model."""
        return cast(ModelRecord, self._json("POST", f"/models/measurements/{job_id}/cancel"))

    def export_model(self, job_id: str, form: Literal["json", "csv"]) -> bytes:
        """Return a finished measurement of a model as a file."""
        return self._send("GET", f"/models/measurements/{job_id}/export", params={"format": form}).content
