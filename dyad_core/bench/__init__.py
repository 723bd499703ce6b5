"""Honest measurement: a request, one process, interleaved rounds against the dense twin, raw samples kept.

>>> from dyad_core.bench import BenchmarkSpec
>>> BenchmarkSpec(768, 3072).variants
('it',)

``run_benchmark(spec)`` measures; ``python -m dyad_core.bench --suite reference`` writes a result file with
nothing but torch and numpy installed.
"""

from dyad_core.bench.isolation import run_benchmark
from dyad_core.bench.preflight import preflight
from dyad_core.bench.progress import Progress
from dyad_core.bench.results import (
    SCHEMA_VERSION,
    BenchmarkRun,
    Candidate,
    Correctness,
    Environment,
    MemoryUse,
)
from dyad_core.bench.spec import BenchmarkSpec

__all__ = [
    "SCHEMA_VERSION",
    "BenchmarkRun",
    "BenchmarkSpec",
    "Candidate",
    "Correctness",
    "Environment",
    "MemoryUse",
    "Progress",
    "preflight",
    "run_benchmark",
]
