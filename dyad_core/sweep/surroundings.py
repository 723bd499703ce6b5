"""Points of one sweep come from one environment: what counts as the same, and what this one is.

Run ``python -m dyad_core.sweep.surroundings`` only through :func:`read_here`: it is a process of its own, as those that
measure are, because reading the environment of a GPU starts CUDA.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from dyad_core.bench.allocator import SETTINGS
from dyad_core.bench.environment import read_environment
from dyad_core.bench.measure import settings
from dyad_core.bench.process import Work, run_process
from dyad_core.bench.records import build_record
from dyad_core.bench.results import Environment
from dyad_core.bench.serving import Report, leave, serve
from dyad_core.bench.spec import BenchmarkSpec

__all__ = ["differences", "main", "read_here"]

COMMAND = (sys.executable, "-m", "dyad_core.sweep.surroundings")

IGNORED = (
    "memory_available_bytes", "load_average_1min", "memory_total_bytes",
    "dtype", "dtype_emulated", "float32_matmul_precision",
)  # fmt: skip
"""What changes from moment to moment, and what the request of a point says already."""


def differences(known: Environment, here: Environment) -> list[str]:
    """How one environment differs from this one, field by field: "torch version 2.12.0 instead of 2.13.0"."""
    return [
        f"{field.name.replace('_', ' ')} {getattr(known, field.name)} instead of {getattr(here, field.name)}"
        for field in dataclasses.fields(Environment)
        if field.name not in IGNORED and getattr(known, field.name) != getattr(here, field.name)
    ]


def read_here(spec: BenchmarkSpec) -> Environment:
    """The environment that a run of ``spec`` would have now.

    Raises:
        BenchmarkFailed: the process that looks ended without an answer.
    """
    settings = SETTINGS[spec.allocator]
    request = {"spec": spec.to_dict()}
    work = Work(COMMAND, request, name="look at the environment", process_name="looking process", environment=settings)
    return build_record(Environment, run_process(work, on_message=lambda _message: None), "environment")


def main() -> int:
    """Serve one request and return the exit code."""
    return serve(_work)


def _work(request: dict[str, Any], _report: Report) -> dict[str, Any]:
    spec = BenchmarkSpec.from_dict(request["spec"])
    with settings(spec):
        return dataclasses.asdict(read_environment(spec))


if __name__ == "__main__":
    leave(main())
