"""The measuring process of a model: one request in, progress out, one result file, and gone.

Started by :mod:`dyad_core.models.measuring.isolation` as ``python -m dyad_core.models.measuring.worker``;
:mod:`dyad_core.bench.serving` says how the two talk.
"""

from __future__ import annotations

from typing import Any

from dyad_core.bench.serving import Report, leave, serve
from dyad_core.models.measuring.measure import measure_model
from dyad_core.models.measuring.preflight import preflight_model
from dyad_core.models.spec import ModelSpec

__all__ = ["main"]


def main() -> int:
    """Serve one request and return the exit code."""
    return serve(_work)


def _work(request: dict[str, Any], report: Report) -> dict[str, Any]:
    spec = ModelSpec.from_dict(request["spec"])
    warnings = preflight_model(spec) if request["check"] else request["warnings"]
    run = measure_model(spec, on_progress=lambda progress: report(progress.to_dict()), warnings=warnings)
    return run.to_dict()


if __name__ == "__main__":
    leave(main())
