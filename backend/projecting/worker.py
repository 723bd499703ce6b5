"""The projecting process: reads the matrix, holds it against the patterns, and is gone.

Started by :mod:`backend.jobs.kinds.projection` as ``python -m backend.projecting.worker``;
:mod:`dyad_core.bench.serving` says how the two talk.
"""

from __future__ import annotations

import time
from typing import Any

from backend.requests import ProjectionRequest
from dyad_core.bench.serving import Report, leave, serve
from dyad_core.weights import LoadedMatrix, OnProgress, Progress, examine, load_matrix, project, reorder_hidden

__all__ = ["main"]

SHARES = {"reading": 0.05, "projection": 1.0, "examination": 1.0, "reordering": 0.5}
"""Weight of each part in the progress: the singular values cost most, once in the projection, once in the examination."""


class Parts:
    """Progress over several computations, each of which reports from 0 to 1."""

    def __init__(self, names: list[str], report: Report) -> None:
        """Start the clock."""
        self._shares = {name: SHARES[name] for name in names}
        self._report, self._finished, self._started = report, 0.0, time.monotonic()

    def begin(self, name: str, message: str) -> OnProgress:
        """Say that a part begins and return what it reports to."""
        share = self._shares.pop(name)
        before, total = self._finished, self._finished + share + sum(self._shares.values())
        self._finished += share

        def tell(progress: Progress) -> None:
            elapsed = time.monotonic() - self._started
            fraction = min(1.0, (before + share * progress.fraction) / total)
            eta = elapsed * (1 - fraction) / fraction if fraction > 0 else None
            whole = {"fraction": fraction, "elapsed_s": elapsed, "eta_s": eta}
            self._report(progress.to_dict() | whole)

        tell(Progress(name, 0, 1, 0.0, message, 0.0))
        return tell

    def end(self) -> None:
        """Say that all is done."""
        elapsed = time.monotonic() - self._started
        self._report(Progress("finished", 1, 1, 1.0, "finished", elapsed, 0.0).to_dict())


def main() -> int:
    """Serve one request and return the exit code."""
    return serve(_work)


def _work(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """``request``: the specification, and path and name of each file it names by id."""
    spec = ProjectionRequest.from_dict(request["spec"])
    files = request["files"]

    def load(upload: str, tensor: str | None, transpose: bool) -> LoadedMatrix:
        return load_matrix(files[upload]["path"], tensor, transpose=transpose, max_bytes=request["max_matrix_bytes"])

    names = ["reading", "projection"]
    names += ["examination"] * (spec.examine is not None) + ["reordering"] * (spec.reorder is not None)
    parts = Parts(names, report)
    parts.begin("reading", "reading the matrix")
    matrix = load(spec.upload, spec.tensor, spec.transpose)
    found = project(
        matrix,
        variants=spec.variants,
        n_blocks=spec.n_blocks,
        grains=spec.grains,
        low_rank=spec.low_rank,
        on_progress=parts.begin("projection", "holding the matrix against patterns"),
    )
    source = {"upload": spec.upload, "file": files[spec.upload]["name"], **matrix.to_dict()}
    result = {"source": source, **found.to_dict(), "examination": None, "reordering": None}
    if spec.examine is not None:
        result["examination"] = examine(
            matrix,
            spec.examine.geometry(found.in_features, found.out_features),
            original=found.spectrum,
            residual_spectrum=spec.examine.residual_spectrum,
            max_cells=spec.examine.max_cells,
            on_progress=parts.begin("examination", "looking at one pattern in detail"),
        ).to_dict()
    if spec.reorder is not None:
        parts.begin("reordering", "looking for an order of the hidden units")
        second = load(spec.reorder.upload or spec.upload, spec.reorder.tensor, spec.reorder.transpose)
        result["reordering"] = reorder_hidden(
            matrix, second, n_blocks=spec.reorder.n_blocks, variant=spec.reorder.variants, grain=spec.reorder.grain
        ).to_dict()
    parts.end()
    return result


if __name__ == "__main__":
    leave(main())
