"""What makes two runs the same: an equal request on an equal environment, measured by equal code.

A run is served instead of measured again only when all three agree. Another question is whether two *results* are one and the
same, which an import has to know; that is a fingerprint of the raw samples.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from dyad_core.bench.results import Environment
from dyad_core.ops import auto

__all__ = [
    "IDENTIFYING",
    "OF_ONE_MACHINE",
    "code_digest",
    "environment_digest",
    "measuring_digest",
    "result_fingerprint",
]

PACKAGE = Path(__file__).resolve().parents[1]
TABLE_VARIABLES = (auto.VARIABLE, "DYAD_TRITON_SETTINGS")

IDENTIFYING = (
    "hostname", "platform", "python_version", "torch_version", "numpy_version", "dyad_version", "device", "device_name",
    "cpu_name", "cpu_cores", "cpu_capability", "threads", "memory_total_bytes", "dtype", "dtype_emulated",
    "float32_matmul_precision", "cuda_version", "driver_version", "cache_bytes", "allocator",
)  # fmt: skip
"""Fields of the environment that say which machine it is and how it is set; the others are momentary."""

OF_ONE_MACHINE = frozenset({"hostname", "memory_total_bytes"})
"""Those of them that two machines of one kind may differ in: memory says what fits, not how fast it is."""


def environment_digest(environment: Environment) -> str:
    """Identity of a machine with its versions and settings: SHA-256, hexadecimal."""
    return _digest({name: getattr(environment, name) for name in IDENTIFYING})


def measuring_digest(environment: Environment) -> str:
    """Identity of an environment and of the code and tables that measure here; for runs of this very installation.

    A version number stands still while code is worked on, and a table of ``dyad tune`` changes what ``"auto"`` means.
    """
    tables = {name: _file_digest(os.environ[name]) for name in TABLE_VARIABLES if os.environ.get(name)}
    return _digest([environment_digest(environment), code_digest(), tables])


def result_fingerprint(run: dict[str, Any]) -> str:
    """Identity of a result in its JSON form, whatever its schema: when, what and every raw sample.

    It is kept in databases: what goes into it never changes.
    """
    spec = run["spec"]
    asked = [spec.get(name) for name in ("in_features", "out_features", "tokens", "module", "dtype", "device")]
    names = ("variant", "n_blocks", "grain", "implementation", "pass", "samples_ms")
    return _digest([run["created_at"], asked, [[each.get(name) for name in names] for each in run["candidates"]]])


@functools.cache
def code_digest() -> str:
    """SHA-256 of every module and packaged table of the library, read once."""
    found = hashlib.sha256()
    for path in sorted(path for pattern in ("*.py", "ops/**/*.json") for path in PACKAGE.rglob(pattern)):
        found.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _file_digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""  # the measuring process will say that it cannot be read


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()
