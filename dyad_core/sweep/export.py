"""A sweep as a table for spreadsheets: one row per size and map, every row complete in itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from dyad_core.bench.export import harmless
from dyad_core.sweep.results import SweepPoint, SweepResult

__all__ = ["COLUMNS", "to_csv"]

PLACE = ("created_at", "device", "device_name", "threads", "torch_version", "dyad_version")
CONDITIONS = (
    "dtype", "float32_matmul_precision", "module", "optimizer", "compile", "cuda_graph", "cache", "allocator", "grain",
)  # fmt: skip
SIZE = ("in_features", "out_features", "tokens", "reused", "disturbed")
FIGURE = (
    "n_blocks", "variant", "implementation", "pass", "outcome", "speedup", "speedup_low", "speedup_high", "chosen", "detail",
)  # fmt: skip
COLUMNS = PLACE + CONDITIONS + SIZE + FIGURE
"""``speedup`` is dense/candidate; both sides have the same dtype."""


def to_csv(result: SweepResult) -> str:
    """Return CSV text with a header, lines ended by CR LF (RFC 4180); what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for point in result.points:
        for row in _rows(result, point):
            writer.writerow({name: harmless(value) for name, value in row.items()})
    return text.getvalue()


def _rows(result: SweepResult, point: SweepPoint) -> Iterator[dict[str, object]]:
    environment = result.environment if point.run is None else point.run.environment
    created_at = result.created_at if point.run is None else point.run.created_at
    for figure in point.figures:
        yield {
            **{name: getattr(environment, name, None) for name in PLACE[1:]},
            "created_at": created_at,
            **{name: getattr(result.spec, name) for name in CONDITIONS},
            **{name: getattr(point, name) for name in SIZE},
            **{name: value for name, value in figure.to_dict().items() if name in FIGURE},
        }
